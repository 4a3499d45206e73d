# embed_text(OUTPUT_VARIABLE name file): a C file that holds a text file as `const char name[]`.
function(embed_text output name file)
  set(unit ${CMAKE_CURRENT_BINARY_DIR}/${name}.c)
  add_custom_command(
    OUTPUT ${unit}
    COMMAND ${CMAKE_COMMAND} -DUNIT=${unit} -DNAME=${name} -DFILE=${file} -P ${PROJECT_SOURCE_DIR}/third_party/embed_text_run.cmake
    DEPENDS ${file} ${PROJECT_SOURCE_DIR}/third_party/embed_text_run.cmake
    COMMENT "Embedding ${name}" VERBATIM)
  set(${output} ${unit} PARENT_SCOPE)
endfunction()
