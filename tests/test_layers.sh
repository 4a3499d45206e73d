# The layers of the house: third_party < runtime < models < trainer, tools. No arrow points upward, OpenCL and CLBlast
# stay inside runtime/, and every kernel file belongs to an op of the same name.
set -eu
failed=0
complain() {
    echo "$1"
    failed=1
}

# forbid FOLDER PATTERN WHY
forbid() {
    found=$(grep -rnE --include='*.[ch]' --exclude-dir=shim "$2" "$1" || true)
    [ -z "$found" ] || complain "$3:
$found"
}

forbid runtime 'include "(models|trainer|tools|tests)/' "runtime/ includes a layer above it"
forbid models 'include "(trainer|tools|tests)/' "models/ includes a layer above it"
forbid trainer 'include "(tools|tests)/' "trainer/ includes tools/ or tests/"
forbid tools 'include "(trainer|tests)/' "tools/ includes trainer/ or tests/"
for folder in models trainer tools tests; do
    forbid $folder '(\bcl_[a-z]+|<CL/|clblast)' "$folder/ sees OpenCL or CLBlast, which only runtime/ may"
done

for kernels in cl/*.cl; do
    name=$(basename "$kernels" .cl)
    [ -f "runtime/ops/$name.c" ] || [ -f "runtime/$name.c" ] || [ -d "runtime/${name%%_*}" ] || complain "$kernels has no runtime/ops/$name.c"
    grep -qrF "\"$name.cl\"" runtime || complain "$kernels is launched by nobody"
done

# A header that does not stand alone surprises whoever includes it first.
for header in runtime/*.h runtime/*/*.h models/*.h models/*/*.h trainer/*.h tools/*.h; do
    [ "$header" = runtime/opencl.h ] || [ "$header" = runtime/program.h ] ||
        cc -std=c11 -D_POSIX_C_SOURCE=200809L -I. -fsyntax-only -x c "$header" || complain "$header does not stand alone"
done
exit $failed
