"""People of the gallery: enrolled, listed, compared with a picture, corrected, exported and erased."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from lineament.errors import AlreadyEnrolled
from lineament.gallery import subjects as names
from lineament.gallery.enrolment import Allow, EnrolOutcome
from lineament.gallery.erasing import Alike, Receipt
from lineament.gallery.gallery import Gallery
from lineament.service import rendering, schemas
from lineament.service.asked import Asked, asked, face_of, subject_of
from lineament.service.errors import Refused, bad_request, json_answer, refusal
from lineament.service.keys import Scope
from lineament.service.routes import describing
from lineament.service.routes.faces import FaceQuery, Identifying, LargestQuery

router = APIRouter(tags=["subjects"], responses=describing.REFUSALS)
Reading = Annotated[Asked, Depends(asked(Scope.READ))]
Enrolling = Annotated[Asked, Depends(asked(Scope.ENROL))]
Administering = Annotated[Asked, Depends(asked(Scope.ADMIN))]
SubjectPath = Annotated[
    str,
    Path(description="A subject's name, percent-encoded, a slash as %2F.", min_length=1, examples=["Ada"]),
]
AllowQuery = Annotated[list[Allow], Query(description="Refusals to override.")]
AlikeQuery = Annotated[Alike, Query(description="What only looks alike: erased, or listed.")]


@router.get("/v1/subjects", response_model=schemas.Subjects)
async def list_subjects(
    request: Reading,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(description="The cursor `next` of the page before.")] = None,
) -> Response:
    """List subjects by name, a page at a time."""
    begin = "" if after is None else _name_of(after)
    found = await request.in_gallery(lambda gallery: gallery.store.subjects(after=begin, limit=limit + 1))
    page = found[:limit]
    listed = [{"subject": name, "samples": count} for name, count in page]
    following = _cursor_of(page[-1][0]) if len(found) > limit else None
    return json_answer({"subjects": listed, "next": following})


@router.get("/v1/subjects/{subject}", response_model=schemas.Subject)
async def show_subject(request: Reading, subject: SubjectPath) -> Response:
    """Show the samples and disputes of a subject."""
    name = subject_of(subject)
    return json_answer(
        rendering.subject_answer(await request.in_gallery(lambda gallery: gallery.show(name)))
    )


@router.get("/v1/subjects/{subject}/export", response_model=schemas.Exported)
async def export_subject(request: Administering, subject: SubjectPath) -> Response:
    """Give all that is kept of a subject, embeddings with it."""
    name = subject_of(subject)
    found, model = await request.in_gallery(lambda gallery: (gallery.show(name), gallery.store.model()))
    told = rendering.subject_answer(found, embeddings=True)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return json_answer({**told, "model": None if model is None else str(model), "exported_at": at})


@router.post(
    "/v1/subjects/{subject}/samples",
    response_model=schemas.Enrolment,
    status_code=201,
    responses={200: {"model": schemas.Enrolment, "description": "All of them were enrolled before."}},
    openapi_extra=describing.writes(describing.pictures()),
)
async def enrol(
    request: Enrolling,
    subject: SubjectPath,
    face: FaceQuery = None,
    largest: LargestQuery = False,
    allow: AllowQuery = [],  # noqa: B006
) -> Response:
    """Enrol pictures of one person; the first one makes the subject.

    The same face of the same picture adds nothing, and is told with the sample that it became. Answered
    with 201 where a sample was added; where none was, and none was there, with the first refusal.
    """
    name, which = subject_of(subject), face_of(face)
    names.require_valid(name)

    async def act() -> Response:
        pictures = await request.pictures()
        outcomes = await request.outcomes(pictures, request.service.settings.recognising, digests=True)

        def work(gallery: Gallery) -> tuple[list[EnrolOutcome], list[str | None]]:
            done = gallery.enrol(name, pictures, face=which, largest=largest, allow=allow)
            return done, [_known(gallery, one) for one in done]

        done, known = await request.in_gallery(work, outcomes)
        added = any(one.sample is not None for one in done)
        if not added and not all(known):
            errors = [
                one.error for one, before in zip(done, known, strict=True) if one.error and not before
            ]
            if len(done) == 1 or all(one.error for one in done):
                raise refusal(errors[0])
        return json_answer(rendering.enrolment_answer(name, done, known), 201 if added else 200)

    return await request.once(act)


def _known(gallery: Gallery, done: EnrolOutcome) -> str | None:
    """The sample that this very face became before."""
    if not isinstance(done.error, AlreadyEnrolled):
        return None
    return str(done.error).rpartition(" ")[2] or None


@router.post(
    "/v1/subjects/{subject}/verify", response_model=schemas.Verified, openapi_extra=describing.pictures()
)
async def verify_subject(
    request: Identifying, subject: SubjectPath, face: FaceQuery = None, largest: LargestQuery = False
) -> Response:
    """Compare one face of a picture with a subject."""
    name, which = subject_of(subject), face_of(face)
    pictures = await request.pictures()
    if len(pictures) != 1:
        raise bad_request("one picture is needed")
    outcomes = await request.outcomes(pictures, request.service.settings.recognising, digests=True)
    answer = await request.in_gallery(
        lambda gallery: gallery.verify(pictures[0], name, face=which, largest=largest), outcomes
    )
    return json_answer(rendering.verified_answer(answer))


@router.post(
    "/v1/subjects/{subject}/disputes",
    response_model=schemas.Sample,
    status_code=201,
    openapi_extra=describing.writes(describing.pictures()),
)
async def dispute(
    request: Enrolling, subject: SubjectPath, face: FaceQuery = None, largest: LargestQuery = False
) -> Response:
    """Record that a face is not the subject: searches leave the subject out for it."""
    name, which = subject_of(subject), face_of(face)

    async def act() -> Response:
        pictures = await request.pictures()
        if len(pictures) != 1:
            raise bad_request("one picture is needed")
        outcomes = await request.outcomes(pictures, request.service.settings.recognising, digests=True)
        record = await request.in_gallery(
            lambda gallery: gallery.dispute(pictures[0], name, face=which, largest=largest), outcomes
        )
        return json_answer(rendering.sample_answer(record), 201)

    return await request.once(act)


@router.patch(
    "/v1/subjects/{subject}",
    response_model=schemas.ErasureReceipt,
    openapi_extra=describing.writes(describing.document(schemas.Renaming)),
)
async def rename(request: Administering, subject: SubjectPath) -> Response:
    """Give a subject another name."""
    name = subject_of(subject)
    new = (await request.document(schemas.Renaming)).subject
    return await _changed(request, lambda gallery: gallery.rename(name, new))


@router.post(
    "/v1/subjects/{subject}/merge",
    response_model=schemas.ErasureReceipt,
    openapi_extra=describing.writes(describing.document(schemas.Merging)),
)
async def merge(request: Administering, subject: SubjectPath, alike: AlikeQuery = Alike.LIST) -> Response:
    """Make two subjects one, under the second's name."""
    name = subject_of(subject)
    into = (await request.document(schemas.Merging)).into
    return await _changed(request, lambda gallery: gallery.merge(name, into=into, alike=alike))


@router.delete(
    "/v1/subjects/{subject}", response_model=schemas.ErasureReceipt, openapi_extra=describing.writes()
)
async def erase(
    request: Administering, subject: SubjectPath, alike: AlikeQuery = Alike.DISPUTES
) -> Response:
    """Erase a subject: samples, template, disputes, and what others hold of the same faces."""
    name = subject_of(subject)
    return await _changed(request, lambda gallery: gallery.remove(name, alike=alike))


@router.delete(
    "/v1/samples/{sample}", response_model=schemas.ErasureReceipt, openapi_extra=describing.writes()
)
async def erase_sample(
    request: Administering,
    sample: Annotated[str, Path(min_length=1, examples=["0123456789abcdef01234567"])],
) -> Response:
    """Erase a sample, or withdraw a dispute; with its last sample a subject is erased."""
    return await _changed(request, lambda gallery: gallery.remove_sample(subject_of(sample)))


async def _changed(request: Asked, change: Callable[[Gallery], Receipt]) -> Response:
    await request.body(request.few_bytes)

    async def act() -> Response:
        receipt = await request.in_gallery(change)
        request.service.replays.forget()
        return json_answer(rendering.receipt_answer(receipt))

    return await request.once(act)


def _cursor_of(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _name_of(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        raise Refused(400, "BadRequest", "after: this is no cursor of a page before") from None
