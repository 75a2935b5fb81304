"""``lineament gallery``: enrol, identify, list, show, remove, rename, merge, dispute, backup."""

from lineament.cli.gallery import correcting, enrol, identify, showing
from lineament.cli.gallery.app import app

app.command("enrol")(enrol.enrol)
app.command("identify")(identify.identify)
app.command("list")(showing.list_subjects)
app.command("status")(showing.status)
app.command("show")(showing.show)
app.command("remove")(correcting.remove)
app.command("rename")(correcting.rename)
app.command("merge")(correcting.merge)
app.command("dispute")(correcting.dispute)
app.command("backup")(showing.backup)

__all__ = ["app"]
