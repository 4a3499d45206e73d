# tools/export: names that want to break out of their form come through every one, the vectors are those of the photos,
# and PostgreSQL takes them.
. "${OCLIP_TEST_DATA:-tests}/script.sh"
command -v python3 >/dev/null || { echo "python3 is not installed"; exit 77; }
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch" "${home:-}"' EXIT

# export CODE ARGUMENTS...: a run that should end with CODE; leaves $scratch/out and $scratch/err
export_() {
    code=0 wanted=$1
    shift
    "$build/tools/export" --gallery "$scratch/photos" "$@" >"$scratch/out" 2>"$scratch/err" || code=$?
    [ "$code" = "$wanted" ] || complain "export $*: exit code $code, not $wanted: $(cat "$scratch/err")"
}

mkdir -p "$scratch/photos/sub folder"
export_ 6 --format npy --out "$scratch/nothing"
grep -q "has no index" "$scratch/err" || complain "a folder never searched: $(cat "$scratch/err")"
[ ! -e "$scratch/photos/.oclip.sqlite" ] || complain "export made an index"

head -n 25 "$data/sample/captions.csv" >"$scratch/pairs.csv"
"$trainer" --out "$scratch" --name run --model tiny --image-root "$data/sample/images" --train-data "$scratch/pairs.csv" \
    --batch-size 8 --max-steps 2 --quiet
photos=$(ls "$data/sample/images")
for name in "it's \"quoted\"" 'back\slash\n\N' '\.' "$(printf 'tab\tand\nline\rend')" 'ünï' "$(printf 'latin \351 1')" \
    "$(printf 'latin \350 1')" "$(printf 'bell \007 \177')" "sub folder/{}[],:\$(x)%s" '; DROP TABLE pictures; --'; do
    photo=$(echo "$photos" | head -n 1)
    photos=$(echo "$photos" | tail -n +2)
    cp "$data/sample/images/$photo" "$scratch/photos/$name.jpg"
done
"$build/tools/retrieve" --model "$scratch/run/model" --gallery "$scratch/photos" --quiet --min-score none x >/dev/null
"$build/tools/embed" --model "$scratch/run/model" --images "$scratch/photos" --out "$scratch/embed.npy" --quiet

# ---- every form has the same rows ----

export_ 0 --format npy --out "$scratch/npy"
grep -q "^10 of 10 pictures, [1-9][0-9]* numbers each" "$scratch/err" || complain "export said: $(cat "$scratch/err")"
for format in pgvector qdrant milvus; do
    export_ 0 --format $format --out "$scratch/$format" --quiet
    cp "$scratch/$format" "$scratch/file"
    export_ 0 --format $format --quiet
    cmp "$scratch/out" "$scratch/file" || complain "$format: stdout and --out differ"
    export_ 0 --format $format --schema --name 'the "pictures"'
    cp "$scratch/out" "$scratch/$format.schema"
done
python3 "$data/export_check.py" "$scratch" "$scratch/photos" || complain "the forms differ"


# ---- faiss: its file, and the approximate search that needs it ----

# retrieves ARGUMENTS...: what the gallery answers, on stdout, but for the scores' last digits
retrieves() {
    "$build/tools/retrieve" --model "$scratch/run/model" --gallery "$scratch/photos" --min-score none -k 3 --json "$@" \
        >"$scratch/answers" 2>"$scratch/err" || return
    sed 's/\("score":-*[0-9.]\{5\}\)[0-9]*/\1/g' "$scratch/answers"
}

code=0
"$build/tools/export" --gallery "$scratch/photos" --format faiss --out "$scratch/faiss" 2>"$scratch/err" || code=$?
if [ $code = 0 ]; then
    cmp "$scratch/faiss.jsonl" "$scratch/npy.jsonl" || complain "faiss and npy have other lines"
    export_ 1 --format faiss --out "$scratch/faiss" --factory Flatt
    retrieves shoes "a bag" >"$scratch/exact"
    retrieves shoes "a bag" --ann >"$scratch/few"
    grep -q "10 pictures are searched exactly" "$scratch/err" || complain "--ann of few: $(cat "$scratch/err")"
    cmp "$scratch/exact" "$scratch/few" || complain "--ann of few is not exact"
    for time in first second; do
        retrieves shoes "a bag" --ann --ann-from 1 >"$scratch/ann"
        cmp "$scratch/exact" "$scratch/ann" || complain "--ann, the $time time: $(cat "$scratch/ann")"
        ls "$scratch/cache/ann" >"$scratch/$time"
    done
    [ "$(wc -l <"$scratch/second")" = 1 ] || complain "not one approximate index: $(cat "$scratch/second")"
else
    grep -q "built without faiss (libfaiss-dev)" "$scratch/err" || complain "no faiss: $(cat "$scratch/err")"
    ! retrieves shoes --ann --ann-from 1 >/dev/null || complain "--ann without faiss is no error"
    grep -q "built without faiss (libfaiss-dev)" "$scratch/err" || complain "--ann without faiss: $(cat "$scratch/err")"
fi

# ---- what is left out, what is refused ----

export_ 0 --format qdrant --path 'latin*'
[ "$(wc -l <"$scratch/out")" = 2 ] || complain "--path 'latin*' takes others: $(cat "$scratch/out")"
export_ 2 --format npy
export_ 2 --format npy --schema
export_ 2 --format parquet
export_ 2 --out x

# ---- PostgreSQL takes them ----

# Where its programs are: OCLIP_POSTGRES, a folder; or Debian's; with pgvector if it is there.
for bin in "${OCLIP_POSTGRES:-}" /usr/lib/postgresql/*/bin; do
    [ -x "$bin/postgres" ] && [ -x "$bin/initdb" ] && break
    bin=
done
[ "$bin" ] || { echo "PostgreSQL is not installed: its part is left out"; exit $failed; }
home=$(mktemp -d)
as= # it refuses to run as root
[ "$(id -u)" != 0 ] || { chown nobody "$home"; as="setpriv --reuid=nobody --clear-groups"; }
$as "$bin/initdb" -D "$home/data" -A trust -U oclip -E UTF8 --locale=C --no-sync >"$scratch/initdb" 2>&1 ||
    { cat "$scratch/initdb"; exit 1; }
$as "$bin/postgres" -D "$home/data" -k "$home" -h '' -F >"$scratch/postgres" 2>&1 &
server=$!
sql() { psql -X -q -v ON_ERROR_STOP=1 -h "$home" -U oclip -d postgres "$@"; }
for _ in $(seq 100); do
    sql -c "" 2>/dev/null && break
    sleep 0.1
done
pgvector=yes
ls "$("$bin/pg_config" --sharedir)/extension/vector.control" >/dev/null 2>&1 || {
    echo "pgvector is not installed: vectors are texts here"
    pgvector=
    sed -i '/EXTENSION/d; s/vector([0-9]*)/text/' "$scratch/pgvector.schema"
}
sql -f "$scratch/pgvector.schema" || complain "the schema is no SQL"
sql -c "COPY \"the \"\"pictures\"\"\" FROM STDIN (ENCODING 'UTF8')" <"$scratch/pgvector" || complain "COPY failed"
sql -At -c "SELECT id, encode(convert_to(image_path, 'UTF8'), 'hex'), encode(image_path_bytes, 'hex'), embedding
            FROM \"the \"\"pictures\"\"\"
            ORDER BY coalesce(image_path_bytes, convert_to(image_path, 'UTF8'))" >"$scratch/table"
python3 "$data/export_check.py" "$scratch" "$scratch/photos" table || complain "PostgreSQL has other rows"
if [ $pgvector ]; then
    nearest=$(sql -At -c "SELECT bool_and(a.id = (SELECT b.id FROM \"the \"\"pictures\"\"\" b
        ORDER BY b.embedding <#> a.embedding LIMIT 1)) FROM \"the \"\"pictures\"\"\" a")
    [ "$nearest" = t ] || complain "pgvector: a photo is not the nearest to itself"
fi
exit $failed
