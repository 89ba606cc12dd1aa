"""``python -m mobile_export.integration``: the committed files' constants, from the embedded bundle's manifest."""

from pocketiqa.bundle import Bundle

from mobile_export.integration import FOLDER, write_integration

print("wrote", *write_integration(Bundle.open().manifest, FOLDER.parent))
