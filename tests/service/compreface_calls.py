"""Run by a Python that has `compreface-sdk`: every call it knows, as JSON on stdout.

usage: compreface_calls.py HOST PORT KEY PHOTO OTHER_PHOTO
"""

from __future__ import annotations

import json
import sys

from compreface import CompreFace  # type: ignore[import-not-found]

host, port, key, photo, other = sys.argv[1:]
options = {"limit": 0, "det_prob_threshold": 0.5, "prediction_count": 1, "status": "true",
           "face_plugins": "age,gender,landmarks,calculator,mask"}  # fmt: skip
client = CompreFace(host, port, options)
recognition = client.init_face_recognition(key)
faces, subjects = recognition.get_face_collection(), recognition.get_subjects()
told = {
    "add subject": subjects.add("Ann Lee"),
    "add face": faces.add(image_path=photo, subject="Ann Lee"),
    "list faces": faces.list(),
    "list subjects": subjects.list(),
    "recognise": recognition.recognize(image_path=photo),
    "of bytes": recognition.recognize(image_path=open(photo, "rb").read()),  # noqa: SIM115, PTH123
}
told |= {
    "verify face": faces.verify(image_path=photo, image_id=told["add face"]["image_id"]),
    "detect": client.init_face_detection(key).detect(photo),
    "verify": client.init_face_verification(key).verify(photo, other),
    "rename": subjects.update("Ann Lee", "Ann"),
    "delete face": faces.delete(told["add face"]["image_id"]),
    "add again": faces.add(image_path=photo, subject="Ann"),
    "delete faces": faces.delete_all("Ann"),
    "delete subject": subjects.delete("Ann"),
    "delete all": subjects.delete_all(),
    "wrong key": CompreFace(host, port).init_face_recognition("no uuid").get_subjects().list(),
}
print(json.dumps(told))
