# embed_kernels(OUTPUT_VARIABLE file...): one C file with the text of every kernel file, in a table that
# runtime/program.c searches by name. Each text opens with #line, so that build logs name the real file.
function(embed_kernels output)
  set(unit ${CMAKE_CURRENT_BINARY_DIR}/kernel_sources.c)
  add_custom_command(
    OUTPUT ${unit}
    COMMAND ${CMAKE_COMMAND} -DUNIT=${unit} "-DFILES=${ARGN}" -P ${PROJECT_SOURCE_DIR}/third_party/embed_kernels_run.cmake
    DEPENDS ${ARGN} ${PROJECT_SOURCE_DIR}/third_party/embed_kernels_run.cmake
    COMMENT "Embedding kernels" VERBATIM)
  set(${output} ${unit} PARENT_SCOPE)
endfunction()
