"""Library of the pipeline. Importing any part of it fixes how the CPU computes, before torch loads.

The settings below make every x86-64 CPU with AVX2 give the same bits; without them the kernels are chosen by the CPU's
model. torch reads them once, when it is loaded, so they stand here, ahead of every module that uses it. A CPU without
AVX2 is left alone: it could not run such kernels.
"""

import os
import sys
from pathlib import Path

CPU_INFO = Path("/proc/cpuinfo")
HAS_AVX2 = CPU_INFO.exists() and " avx2 " in CPU_INFO.read_text(encoding="utf-8", errors="replace")
CPU_PROFILE = (
    {
        "ATEN_CPU_CAPABILITY": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "MKL_CBWR": "COMPATIBLE",
    }
    if HAS_AVX2
    else {}
)

if "torch" in sys.modules and any(os.environ.get(name) != value for name, value in CPU_PROFILE.items()):
    raise ImportError("import mnist before torch: the CPU profile that makes results exact is read when torch loads")

os.environ.update(CPU_PROFILE)
# A batch system may set these. Where OpenMP then gives fewer threads than the recipe asks for, torch waits for ever.
for name in ("OMP_THREAD_LIMIT", "OMP_DYNAMIC", "OMP_MAX_ACTIVE_LEVELS"):
    os.environ.pop(name, None)
