#!/usr/bin/env python3
"""Compiles every kernel in every form that ships for GPUs with the vendors' own compilers; no device is needed.

    python3 tests/vendors/compile.py            # fails on a kernel that does not compile, or uses more than the table says
    python3 tests/vendors/compile.py --write    # writes the table, tests/vendors/resources.txt
    python3 tests/vendors/compile.py --only attention.cl --write    # only the rows of such files

Compilers that are absent are named and skipped; exit code 77 when there are none. What a cell means stands at the head
of the table. Numbers are compared with the table only where the compiler is the one that made it.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import compilers

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TABLE = HERE / "resources.txt"
SKIPPED = 77
VENDORS = compilers.vendors()
CHIPS = {chip: vendor.name for vendor in VENDORS for chip in vendor.chips}

# As runtime/program.c builds for devices of class GPU.
COMMON = "-cl-std=CL1.2 -cl-kernel-arg-info -DVEC=4 -DGROUP=64 -DCHUNK=2048".split()

# Kernels over activations ship in these forms too (cl/common.clh); where each takes long to compile, some are listed.
STORED = "BFLOAT16", "FLOAT16"
NARROW_LISTED = {"attention.cl", "attention_matrix.cl", "gemm_matrix.cl"}

HEAD = """# What each kernel takes on each chip, by tests/vendors/compile.py --write:
# registers of a work-item / spilled / other private memory / bytes of local memory of a work-group.
# Spilled: registers on AMD and Intel (which always gives 128), bytes of a work-item on NVIDIA.
"""


def variants():
    """(file, options, chips or none for all) of all that ships for GPUs."""
    listed, named = [], set()
    for line in (HERE / "variants.txt").read_text().splitlines():
        words, _, why = line.partition("#")
        file, *words = words.split() or [None]
        if not file:
            continue
        named.add(file)
        chips = tuple(words.pop(0)[1:].split(",")) if words[0][0] == "@" else ()
        if words != ["-"]:
            listed.append((file, tuple(words), chips))
        elif chips:
            print(f"skipped: {file} for {' '.join(chips)}: {why.strip()}")
    plain = [(path.name, (), ()) for path in (ROOT / "cl").glob("*.cl") if path.name not in named]
    narrow = [(file, (*options, f"-DDTYPE={dtype}"), chips) for file, options, chips in plain + listed
              for dtype in STORED if stores_activations(file) and file not in NARROW_LISTED]
    return sorted(plain + listed + narrow)


def stores_activations(file):
    return re.search(r"\bnumber \*", (ROOT / "cl" / file).read_text())


def text_of(file):
    """A file of cl/ with those that it includes, as third_party/embed_kernels_run.cmake embeds it."""
    return re.sub(r'^#include "(\w+\.clh)"$', lambda include: text_of(include[1]), (ROOT / "cl" / file).read_text(),
                  flags=re.MULTILINE)


def compile_all(jobs, cache):
    """The kernels of each job (vendor, chips, file, options) by chip, or the error; unchanged ones come from the cache."""
    common = text_of("common.clh")
    vendors = {vendor.name: vendor for vendor, *_ in jobs}
    versions = {name: vendor.versions() for name, vendor in vendors.items()}
    rules = (HERE / "compilers.py").read_text()

    def one(job):
        vendor, chips, file, options = job
        source = f"{common}\n#line 1 \"cl/{file}\"\n{text_of(file)}"
        key = hashlib.sha256("\0".join([rules, versions[vendor.name], *chips, *options, *COMMON, source]).encode()).hexdigest()
        if key not in cache:
            try:
                cache[key] = compilers.compile_text(vendor, chips, source, [*COMMON, *options])
            except compilers.CompileError as error:
                return error
        return cache[key]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, jobs))


def row_name(file, options, kernel):
    said = (option[2:] for option in options if option.startswith("-D") and option != "-DEMULATED=0")
    return " ".join([f"{file}:{kernel}", *said])


def read_table():
    """The compilers' lines, and the numbers by (row, chip)."""
    made_by, cells, chips = [], {}, []
    for line in TABLE.read_text().splitlines() if TABLE.exists() else []:
        if line.startswith("# by "):
            made_by.append(line[5:])
        elif line.startswith("kernel "):
            chips = line.split()[1:]
        elif line and line[0] != "#":
            words = line.split()
            values = words[-len(chips):]
            for chip, value in zip(chips, values):
                if value != "-":
                    cells[" ".join(words[:-len(chips)]), chip] = tuple(map(int, value.split("/")))
    return made_by, cells


def write_table(made_by, cells, out):
    chips = list(dict.fromkeys(chip for _, chip in cells))
    rows = list(dict.fromkeys(row for row, _ in cells))
    wide = max(map(len, rows))
    out.write(HEAD + "".join(f"# by {line}\n" for line in made_by))
    out.write(f"{'kernel':{wide}}" + "".join(f" {chip:>17}" for chip in chips) + "\n")
    for row in rows:
        values = ["/".join(map(str, cells[row, chip])) if (row, chip) in cells else "-" for chip in chips]
        out.write(f"{row:{wide}}" + "".join(f" {value:>17}" for value in values) + "\n")


def order(cell):
    """Rows by their names, chips as compilers have them."""
    return cell[0][0], list(CHIPS).index(cell[0][1])


def worse(now, before):
    """Which use has grown: registers may by a tenth and four, the rest may not."""
    allowed = (before[0] + before[0] // 10 + 4, *before[1:])
    return [f"{what} {b} -> {n}" for what, n, b, most in zip(compilers.USE, now, before, allowed) if n > most]


def emptied(now, before):
    """Private memory that is gone at once: where a compiler finds a kernel undefined, it leaves nothing of it."""
    return [f"{what} {b} -> 0, look whether the kernel still does its work"
            for what, n, b in zip(compilers.USE[1:3], now[1:3], before[1:3]) if b > 0 and not any(now[1:3])]


def compare(cells, made_by):
    """Complaints about cells that use more than the table says, or suspiciously little, or that it lacks, as far as
    compilers are the same."""
    table_by, table = read_table()
    same = {line.partition(":")[0] for line in made_by if line in table_by}
    for line in made_by:
        if line not in table_by:
            print(f"another compiler than the table's, numbers are not compared: {line}")
    complaints = []
    for (row, chip), now in cells.items():
        if CHIPS[chip] in same:
            before = table.get((row, chip))
            wrong = [*worse(now, before), *emptied(now, before)] if before else ["not in the table: --write adds it"]
            complaints += [f"{row} on {chip}: {', '.join(wrong)}"] if wrong else []
    return complaints


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table")
    parser.add_argument("--print", action="store_true", help="print the table")
    parser.add_argument("--only", default="", metavar="TEXT", help="only kernel files whose name holds this")
    parser.add_argument("--cache", type=Path, help="a file that keeps results of unchanged kernels")
    args = parser.parse_args()

    present = []
    for vendor in VENDORS:
        missing = vendor.missing()
        print(f"skipped: {missing}" if missing else f"{vendor.versions()}: {' '.join(vendor.chips)}")
        present += [] if missing else [vendor]
    if not present:
        return SKIPPED

    cache = json.loads(args.cache.read_text()) if args.cache and args.cache.exists() else {}
    jobs = [(vendor, wanted, file, options) for file, options, chips in variants() if args.only in file
            for vendor in present if (wanted := [chip for chip in vendor.chips if not chips or chip in chips])]
    results = compile_all(jobs, cache)
    if args.cache:
        args.cache.write_text(json.dumps(cache))

    complaints, cells = [], {}
    for (vendor, chips, file, options), by_chip in zip(jobs, results):
        if isinstance(by_chip, compilers.CompileError):
            complaints.append(f"{file} {' '.join(options)} does not compile for {vendor.name}: {by_chip}")
            continue
        cells |= {(row_name(file, options, kernel), chip): tuple(use)
                  for chip, kernels in by_chip.items() for kernel, use in sorted(kernels.items()) if use}
    made_by = [vendor.versions() for vendor in present]
    if args.print:
        write_table(made_by, cells, sys.stdout)
    if args.write and not complaints:
        kept = {cell: use for cell, use in read_table()[1].items() if args.only not in cell[0].partition(":")[0]}
        with open(TABLE, "w") as out:
            write_table(made_by, dict(sorted((kept | cells).items(), key=order)), out)
    elif not args.write:
        complaints += compare(cells, made_by)
    print("\n".join(complaints) or f"{len(jobs)} variants, {len(cells)} kernels: all well")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
