# tools/serve as its clients see it: the answers are those of tools/retrieve, the page and the pictures are there, and
# whatever is wrong is refused in one line of JSON, after which it serves on.
. "${OCLIP_TEST_DATA:-tests}/script.sh"
[ -x "$build/tools/serve" ] || { echo "built without libmicrohttpd"; exit 77; }
command -v curl >/dev/null || { echo "curl is not installed"; exit 77; }
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT

# start ARGUMENTS...: leaves $server and $url
start() {
    : >"$scratch/url"
    "$build/tools/serve" --model "$scratch/run/model" --gallery "$scratch/photos" --port 0 --quiet "$@" \
        >"$scratch/url" 2>"$scratch/stderr" &
    server=$!
    for _ in $(seq 600); do
        [ -s "$scratch/url" ] && break
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    url=$(cat "$scratch/url")
    [ "$url" ] || { cat "$scratch/stderr"; exit 1; }
}

# stop: it ends cleanly when it is asked to
stop() {
    code=0
    kill "$server"
    wait "$server" || code=$?
    server=
    [ $code = 0 ] || complain "ended with $code: $(cat "$scratch/stderr")"
}

# get STATUS PATH CURL-ARGUMENTS...: a request that should be answered so; leaves $scratch/body
get() {
    wanted=$1 path=$2
    shift 2
    status=$(curl -s -m 60 --path-as-is -o "$scratch/body" -w '%{http_code}' "$@" "$url$path") || true
    [ "$status" = "$wanted" ] || complain "$path $*: status $status, not $wanted: $(head -c 300 "$scratch/body")"
}

# says TEXT: the last answer has TEXT
says() { grep -qF -- "$1" "$scratch/body" || complain "no $1 in: $(head -c 300 "$scratch/body")"; }

# refuses STATUS PATH CURL-ARGUMENTS...: with an error in JSON
refuses() {
    get "$@"
    says '{"error":"'
}

ask() { get 200 knn-service --data-binary "$1"; }

# paths FILE: of the photos in an answer, in their order
paths() { grep -o '"image_path":"[^"]*"' "$1" | cut -d'"' -f4; }

# scores FILE: with four digits, since batches of other sizes round otherwise
scores() { grep -o '"\(similarity\|score\)":[^,}]*' "$1" | cut -d: -f2 | xargs printf '%.4f\n'; }

# is_retrieves ARGUMENTS...: the last answer is what tools/retrieve finds
is_retrieves() {
    "$build/tools/retrieve" --model "$scratch/run/model" --gallery "$scratch/photos" --quiet --json -k 5 "$@" \
        >"$scratch/retrieved"
    grep -o '"path":"[^"]*"' "$scratch/retrieved" | cut -d'"' -f4 | sed 's,.*/photos/,,' >"$scratch/a"
    paths "$scratch/body" >"$scratch/b"
    cmp "$scratch/a" "$scratch/b" || complain "retrieve $*: other photos than $(cat "$scratch/body")"
    scores "$scratch/retrieved" >"$scratch/a"
    scores "$scratch/body" >"$scratch/b"
    cmp "$scratch/a" "$scratch/b" || complain "retrieve $*: other scores than $(cat "$scratch/body")"
}

head -n 41 "$data/sample/captions.csv" >"$scratch/pairs.csv"
"$build/trainer" --out "$scratch" --name run --model tiny --image-root "$data/sample/images" \
    --train-data "$scratch/pairs.csv" --batch-size 16 --epochs 2 --quiet
mkdir -p "$scratch/photos/sub"
for photo in $(sed -n '2,25s/,.*//p' "$scratch/pairs.csv" | sort -u); do
    cp "$data/sample/images/$photo" "$scratch/photos"
done
cp "$scratch/photos/$photo" "$scratch/photos/sub/the same.jpg"
first=$(ls "$scratch/photos" | head -n 1)
echo "not for everybody" >"$scratch/secret"

# ---- answers ----

start
get 200 health
says '"status":"ok"'
ask '{"text": "apples", "num_images": 5, "modality": "image", "use_mclip": false, "image": null}'
is_retrieves --min-score none apples
ask '{"text": "red apples + 2:a bag - people", "num_images": 5}'
is_retrieves --min-score none "red apples + 2:a bag - people"
ask '{"text": "apples", "num_images": 5, "deduplicate": false, "filter": {"path": "*[1-5].jpg", "orientation": "portrait"}}'
is_retrieves --min-score none --unfold --path '*[1-5].jpg' --orientation portrait apples
ask '{"text": "apples", "num_images": 5, "min_score": "auto"}'
is_retrieves apples
printf '{"num_images": 5, "image": "%s"}' "$(base64 <"$scratch/photos/$first" | tr -d '\n')" >"$scratch/picture.json"
ask "@$scratch/picture.json"
is_retrieves --min-score none --image "$scratch/photos/$first"
ask '{"like": 0, "num_images": 5}'
paths "$scratch/body" | grep -qxF "$first" && complain "like 0 finds photo 0 itself"

# An embedding found again finds the same; a sum is no error.
ask '{"text": "a shoe", "num_images": 5}'
cp "$scratch/body" "$scratch/asked"
get 200 embed -d '{"text": "a shoe"}'
sed 's/"embedding"/"num_images": 5, "embedding_input"/' "$scratch/body" >"$scratch/vector.json"
ask "@$scratch/vector.json"
paths "$scratch/asked" >"$scratch/a"
paths "$scratch/body" >"$scratch/b"
cmp "$scratch/a" "$scratch/b" || complain "an embedding finds other photos than its text"
ask '{"text": "apples", "like": 1, "num_images": 3, "num_result_ids": 7}'
[ "$(grep -o '"id"' "$scratch/body" | wc -l)" = 7 ] || complain "not 7 ids: $(cat "$scratch/body")"
[ "$(paths "$scratch/body" | wc -l)" = 3 ] || complain "not 3 photos: $(cat "$scratch/body")"

# ---- the page and its pictures ----

get 200 ""
says '<!doctype html>'
get 200 picture/0
cmp "$scratch/body" "$scratch/photos/$first" || complain "picture/0 is not $first"
get 200 thumb/0
tag=$(curl -s -m 60 -I "${url}thumb/0" | tr -d '\r' | sed -n 's/^ETag: //p')
get 304 thumb/0 -H "If-None-Match: $tag"

# ---- many at once hear what one hears alone ----

words="apples shoes hats bananas socks milk dresses bread"
for word in $words; do
    curl -s -m 60 -d "{\"text\": \"a photo of $word\", \"num_images\": 5}" "${url}knn-service" >"$scratch/alone-$word"
done
stop
start --clients 8 # of which each answers the next; nothing is known yet
for i in 1 2 3 4; do
    for word in $words; do
        curl -s -m 60 -d "{\"text\": \"a photo of $word\", \"num_images\": 5}" "${url}knn-service" \
            >"$scratch/beside-$word-$i" &
        clients="${clients:-} $!"
    done
done
for client in $clients; do
    wait "$client" || complain "a client was not answered"
done
for word in $words; do
    for i in 1 2 3 4; do
        for what in paths scores; do
            $what "$scratch/alone-$word" >"$scratch/a"
            $what "$scratch/beside-$word-$i" >"$scratch/b"
            cmp "$scratch/a" "$scratch/b" || complain "$word: other $what beside others than alone"
        done
    done
done
stop

# ---- what is refused ----

start --max-body 1
for path in ../secret picture/../../secret picture/%2e%2e/secret picture/0/../../secret picture/ picture/-1 picture/0x0 \
    picture/99999999999999999999 thumb/../../secret thumb/4294967296 "picture/..%2f..%2fsecret" /etc/passwd nothing; do
    refuses 404 "$path"
    ! grep -q "not for everybody" "$scratch/body" || complain "$path leads out of the gallery"
done
refuses 405 knn-service
refuses 405 embed -X PUT -d '{}'
refuses 405 "" -X DELETE
refuses 405 health -d '{}'
for body in '' '{' '[]' '"apples"' '{}' '{"text": 1}' '{"text": ""}' '{"text": "a + "}' '{"text": "a", "text": "b"}' \
    '{"text": "a - a"}' '{"image": "%%"}' '{"image": "aGVsbG8="}' '{"image_url": "http://localhost/"}' \
    '{"embedding_input": [1, 2]}' '{"embedding_input": "x"}' '{"like": -1}' '{"like": 1000000}' '{"like": 0.5}' \
    '{"text": "a", "num_images": 0}' '{"text": "a", "num_images": 1000000000000}' '{"text": "a", "modality": "text"}' \
    '{"text": "a", "min_score": "some"}' '{"text": "a", "filter": []}' '{"text": "a", "filter": {"after": "soon"}}' \
    '{"text": "a", "filter": {"orientation": "round"}}' '{"text": "a", "filter": {"min_width": -1}}'; do
    refuses 400 knn-service --data-binary "$body"
done
# A term that names a file is a text here: no file is looked at.
ask "{\"text\": \"$scratch/secret\", \"num_images\": 1}"
dd if=/dev/zero bs=1024 count=1100 2>/dev/null | tr '\0' ' ' >"$scratch/large"
refuses 413 knn-service --data-binary "@$scratch/large"
refuses 413 knn-service -H 'Transfer-Encoding: chunked' --data-binary "@$scratch/large"
refuses 403 health -H 'Host: rebound.example'
refuses 403 knn-service -H 'Origin: http://elsewhere.example' -d '{"text": "a"}'
get 200 knn-service -H "Origin: ${url%/}" -d '{"text": "a"}'
get 200 metrics
says 'oclip_requests_total{route="/knn-service",status="413"} 2'
stop

# ---- a filter that leaves nothing ----

start --min-width 100000
get 200 knn-service -d '{"text": "apples", "min_score": "auto"}'
says '[]'
stop

# ---- a token ----

code=0
"$build/tools/serve" --model "$scratch/run/model" --gallery "$scratch/photos" --host 0.0.0.0 --port 0 --quiet \
    >"$scratch/url" 2>"$scratch/stderr" || code=$?
{ [ $code = 2 ] && grep -q 'give a --token' "$scratch/stderr"; } || complain "listens beyond loopback without a token"
OCLIP_TOKEN=sesame-open start
get 200 health
refuses 401 metrics
refuses 401 metrics -H 'Authorization: Bearer sesame-opem'
refuses 401 metrics -H 'Cookie: oclip=sesame-open-'
refuses 401 "?token=sesame"
refuses 401 "metrics?token=sesame-open"
get 200 metrics -H 'Authorization: Bearer sesame-open'
get 303 "?token=sesame-open" -c "$scratch/cookies"
get 200 "" -b "$scratch/cookies"
stop
exit $failed
