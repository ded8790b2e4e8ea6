"""Every table there is: who imports this finds them all in ``db.metadata`` and ``db.key_metadata``.

Rooms declare their tables where they use them; what speaks of all (rights, migrations) needs each room imported.
"""

import epilock.caretaker
import epilock.destroy.request
import epilock.inventory
import epilock.use.release.file  # noqa: F401 - each for the tables of what it imports
