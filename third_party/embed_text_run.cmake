# Run by embed_text() at build time. A line becomes one C string literal.
file(READ ${FILE} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${UNIT} "extern const char ${NAME}[];\nconst char ${NAME}[] =\n    \"${text}\";\n")
