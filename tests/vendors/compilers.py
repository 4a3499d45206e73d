"""The vendors' own compilers, run without a device: each target compiles a kernel file and tells what its kernels use."""

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

LIBCLC = Path(os.environ.get("LIBCLC", "/usr/lib/clc"))

# Registers a work-item; spilled: registers on AMD and Intel, bytes of a work-item on NVIDIA;
# other private memory, bytes of a work-item (Intel: of a hardware thread); bytes of local memory of a work-group.
USE = ("registers", "spilled", "private", "local")


class CompileError(Exception):
    pass


def call(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    if done.returncode != 0:
        raise CompileError(f"{' '.join(command)}\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout + done.stderr


def first_of(*names):
    return next((path for name in names if (path := shutil.which(name))), None)


def clang_command(clang, library, options):
    return [clang, "-x", "cl", "-w", "-O3", "-S", "-nogpulib", *options,
            "-Xclang", "-finclude-default-header", "-Xclang", "-fdeclare-opencl-builtins",
            "-Xclang", "-mlink-builtin-bitcode", "-Xclang", str(LIBCLC / library), "k.cl", "-o", "k.s"]


def each_chip(compile_for):
    """A vendor's compile(tools, chips, options, folder): what each kernel uses, by chip, each compiled by itself."""
    return lambda tools, chips, options, folder: {chip: compile_for(tools, chip, options, folder) for chip in chips}


@each_chip
def compile_amd(tools, chip, options, folder):
    call(clang_command(tools["clang"], "amdgcn--amdhsa.bc", ["-target", "amdgcn-amd-amdhsa", f"-mcpu={chip}", *options]),
         folder)
    metadata = (folder / "k.s").read_text().partition(".amdgpu_metadata")[2]
    kernels = {}
    for entry in re.split(r"\n  - \.(?=a[gr])", metadata)[1:]:
        name = re.search(r"^    \.name: +(\w+)", entry, re.M)[1]
        number = {key: int(value) for key, value in re.findall(r"^    \.(\w+): +(\d+)$", entry, re.M)}
        spilled = number["vgpr_spill_count"] + number["sgpr_spill_count"]
        private = max(0, number["private_segment_fixed_size"] - 4 * spilled)
        kernels[name] = (number["vgpr_count"], spilled, private, number["group_segment_fixed_size"])
    return kernels


def compile_nvidia(tools, chips, options, folder):
    """Assembles the PTX of the first chip, the oldest, for all: a chip takes that of those before it."""
    call(clang_command(tools["clang"], "nvptx64--nvidiacl.bc",
                       ["-target", "nvptx64-nvidia-nvcl", f"-march={chips[0]}", *options]), folder)
    if not tools["ptxas"]:
        return dict.fromkeys(chips, dict.fromkeys(re.findall(r"\.entry (\w+)", (folder / "k.s").read_text())))
    return {chip: assemble(tools["ptxas"], chip, folder) for chip in chips}


def assemble(ptxas, chip, folder):
    said = call([ptxas, f"-arch={chip}", "-v", "k.s", "-o", "k.cubin"], folder)
    kernels = {}
    for entry in said.split("Compiling entry function ")[1:]:
        number = {key: int(value) for value, key in
                  re.findall(r"(\d+) (?:bytes )?(stack frame|spill stores|registers|smem)", entry)}
        spilled = number["spill stores"]
        kernels[entry.split("'")[1]] = (number["registers"], spilled, max(0, number["stack frame"] - spilled),
                                        number.get("smem", 0))
    return kernels


# What the drivers of chips with matrix units define, and this compiler alone does not.
DPAS = ["-Dcl_intel_subgroup_matrix_multiply_accumulate=1", "-Dcl_intel_required_subgroup_size=1"]


@each_chip
def compile_intel(tools, chip, options, folder):
    options = [*(DPAS if chip != "tgllp" else []), *options]
    said = call([tools["ocloc"], "compile", "-file", "k.cl", "-device", chip, "-output_no_suffix", "-output", "k.bin",
                 "-options", " ".join(["-w", "-cl-intel-greater-than-4GB-buffer-required", *options]),
                 "-internal_options", "-cl-intel-allow-zebin"], folder)
    spilled = {name: int(count) for name, count in re.findall(r"kernel (\w+) .* spilled around (\d+)", said)}
    info = re.search(rb"\nkernels:.*?(?=\nkernels_misc_info|\n\.\.\.)", (folder / "k.bin").read_bytes(), re.S)[0].decode()
    kernels = {}
    for entry in re.split(r"\n  - name: +", info)[1:]:
        name = entry.split()[0].strip("'")
        number = {key: int(value) for key, value in re.findall(r"(\w+): +(\d+)\n", entry + "\n")}
        space = {usage: int(size) for usage, size in re.findall(r"usage: +(\w+)\n +size: +(\d+)", entry)}
        single = 0 if name in spilled else space.get("single_space", 0)  # some chips spill into the same space
        kernels[name] = (number["grf_count"], spilled.get(name, 0), space.get("private_space", single),
                         number.get("slm_size", 0))
    kernels.pop("Intel_Symbol_Table_Void_Program", None)
    return kernels


def version_of(path):
    with tempfile.TemporaryDirectory() as folder:
        query = ["query", "OCL_DRIVER_VERSION"] if Path(path).name == "ocloc" else ["--version"]
        said = subprocess.run([path, *query], cwd=folder, capture_output=True, text=True).stdout
        said += "".join(file.read_text() for file in Path(folder).iterdir())  # ocloc answers in a file
    found = re.search(r"\d+\.\d+\.\d+", said)
    return found[0] if found else "of unknown version"


@dataclass
class Vendor:
    name: str
    chips: tuple
    compile: object
    tools: dict  # path by name, None where absent
    needs: tuple  # the tools without which nothing can be compiled
    remedy: str

    def missing(self):
        absent = [tool for tool in self.needs if not self.tools[tool]]
        return f"{self.name}: no {', no '.join(absent)} ({self.remedy})" if absent else None

    def versions(self):
        """One line for the compilers that are there, by which tables are held apart."""
        said = [f"{name} {version_of(path)}" for name, path in self.tools.items() if path and name != "libclc"]
        return f"{self.name}: {', '.join(said)}"


def vendors():
    clang = first_of("clang-19", "clang-20", "clang-18")
    def libclc(name):
        return str(LIBCLC / name) if (LIBCLC / name).exists() else None
    return [
        Vendor("amd", ("gfx90a", "gfx942", "gfx1030", "gfx1100", "gfx1200"), compile_amd,
               {"clang": clang, "libclc": libclc("amdgcn--amdhsa.bc")}, ("clang", "libclc"),
               "Debian: clang-19 libclc-15"),
        Vendor("nvidia", ("sm_75", "sm_80", "sm_90", "sm_120"), compile_nvidia,
               {"clang": clang, "libclc": libclc("nvptx64--nvidiacl.bc"),
                "ptxas": first_of("ptxas", "/usr/local/cuda/bin/ptxas")}, ("clang", "libclc"),
               "Debian: clang-19 libclc-15; ptxas of the CUDA toolkit gives the numbers"),
        Vendor("intel", ("tgllp", "dg2", "pvc"), compile_intel, {"ocloc": first_of("ocloc")}, ("ocloc",),
               "Debian: intel-opencl-icd"),
    ]


def compile_text(vendor, chips, source, options):
    """By chip, what each kernel of a source uses, as numbers in the order of USE; None without an assembler."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "k.cl").write_text(source)
        return vendor.compile(vendor.tools, chips, options, Path(folder))
