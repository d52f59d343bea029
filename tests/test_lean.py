"""The page starts without torch's compiler, and whoever wants the compiler still has it."""

import subprocess
import sys
from pathlib import Path

CHECK = """
import sys, torch
given = torch.compiler.disable
import playground.models
assert "timm" in sys.modules
assert "torch._dynamo" not in sys.modules and "sympy" not in sys.modules
assert torch.compiler.disable is given and "_dynamo" not in vars(torch)
from torchvision.ops import roi_align
assert sys.modules[roi_align.__module__].is_compile_supported("cpu") in (True, False)
assert "torch._dynamo" in sys.modules
doubled = torch.compile(lambda x: x + x, backend="eager")(torch.ones(2))
assert doubled.tolist() == [2, 2]
"""


def test_models_load_without_the_compiler_and_the_compiler_works_afterwards() -> None:
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", CHECK], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
