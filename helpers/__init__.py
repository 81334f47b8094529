"""Push-Back AI: fine-tune a model that pushes back when it should, and only then.

The modules, in reading order, are listed in the README. Importing this package imports nothing heavy; it only
makes the libraries that come later quiet and well behaved, and a value that you have set yourself stands.
"""

import os

__version__ = "0.1.0"

_MANNERS = {
    "UNSLOTH_AUTO_INSTALL": "0",  # its GGUF saver otherwise installs system packages without a question
    "UNSLOTH_DISABLE_STATISTICS": "1",  # it otherwise fetches a page from the Hub to be counted
    "HF_HUB_DISABLE_TELEMETRY": "1",  # TRL's trainers otherwise report each run
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # LiteLLM otherwise downloads its price list on import
    "OMP_WAIT_POLICY": "PASSIVE",  # two threads otherwise spin against each other (read once, as torch loads)
    "OPENBLAS_NUM_THREADS": "1",  # NumPy's threads otherwise wait spinning: 20 times slower on a busy machine
    "TOKENIZERS_PARALLELISM": "false",  # tokenizers otherwise warn after every fork
}
for _name, _value in _MANNERS.items():
    os.environ.setdefault(_name, _value)
