import sys

from pocketiqa.cli import main

sys.exit(main())
