"""What the Vyper compiler makes of the contract; ``python tests/ledger/compiled.py`` ships it anew."""

import json
from importlib.metadata import version
from pathlib import Path

from vyper import compile_code
from vyper.compiler.settings import Settings

import epilock.ledger.anchor

FOLDER = Path(epilock.ledger.anchor.__file__).parent
EVM = "london"  # the oldest that all chains of today run; code for a later one fails on FISCO BCOS


def artefact():
    source = (FOLDER / "log_anchor.vy").read_text()
    made = compile_code(
        source,
        output_formats=["abi", "bytecode", "bytecode_runtime", "method_identifiers", "layout"],
        settings=Settings(evm_version=EVM),
    )
    return {
        "compiler": f"vyper {version('vyper')}",
        "evm": EVM,
        "abi": made["abi"],
        "methods": {  # the compiler leaves out leading zeros
            name: f"0x{int(selector, 16):08x}" for name, selector in made["method_identifiers"].items()
        },
        "slots": {
            name: where["slot"] for name, where in made["layout"]["storage_layout"].items()
        },
        "bytecode": made["bytecode"],
        "runtime": made["bytecode_runtime"],
    }  # fmt: skip


if __name__ == "__main__":
    (FOLDER / "log_anchor.json").write_text(json.dumps(artefact(), indent=1) + "\n")
