# Where outside packages come from: the distribution, found by pkg-config or CMake. Nothing is copied here.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenCL REQUIRED)                              # Debian: ocl-icd-opencl-dev
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)        # libjansson-dev
pkg_check_modules(TURBOJPEG REQUIRED IMPORTED_TARGET libturbojpeg) # libturbojpeg0-dev
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)             # libpng-dev
pkg_check_modules(WEBP IMPORTED_TARGET libwebp libwebpdemux)       # libwebp-dev; without it WebP is not read
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)   # libutf8proc-dev
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)              # zlib1g-dev
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)      # libxxhash-dev
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)         # libsqlite3-dev
pkg_check_modules(LAPACKE REQUIRED IMPORTED_TARGET lapacke)         # liblapacke-dev
pkg_check_modules(CHAFA IMPORTED_TARGET chafa)                     # libchafa-dev libglib2.0-dev; without: no pictures on terminals
pkg_check_modules(MICROHTTPD IMPORTED_TARGET libmicrohttpd)         # libmicrohttpd-dev; without: no tools/serve

find_package(MPI COMPONENTS C)                             # libopenmpi-dev; without: --device 0,1 only, no mpirun

# SigLIP's tokenizer, where the library and a C++ compiler are there.
find_path(SENTENCEPIECE_INCLUDE_DIR sentencepiece_processor.h)     # libsentencepiece-dev
find_library(SENTENCEPIECE_LIBRARY sentencepiece)
include(CheckLanguage)
check_language(CXX)
add_library(sentencepiece INTERFACE)
if(CMAKE_CXX_COMPILER)
  enable_language(CXX)
  set(CMAKE_CXX_STANDARD 17)
  find_package(OpenMP)
  find_package(faiss CONFIG)                                       # libfaiss-dev; without: no --ann, no --format faiss
endif()
if(SENTENCEPIECE_INCLUDE_DIR AND SENTENCEPIECE_LIBRARY AND CMAKE_CXX_COMPILER)
  set(SENTENCEPIECE_UNIT third_party/spm_unit.cc)
  target_include_directories(sentencepiece INTERFACE ${SENTENCEPIECE_INCLUDE_DIR})
  target_link_libraries(sentencepiece INTERFACE ${SENTENCEPIECE_LIBRARY})
else()
  set(SENTENCEPIECE_UNIT third_party/spm_missing.c)
  message(STATUS "SentencePiece not found (libsentencepiece-dev): SigLIP's tokenizer is left out")
endif()

if(TARGET faiss AND TARGET OpenMP::OpenMP_CXX)
  set(FAISS_UNIT third_party/faiss_unit.cc)
else()
  set(FAISS_UNIT third_party/faiss_missing.c)
endif()

find_path(CLBLAST_INCLUDE_DIR clblast_c.h REQUIRED)                # libclblast-dev
find_library(CLBLAST_LIBRARY clblast REQUIRED)
add_library(clblast INTERFACE)
target_include_directories(clblast INTERFACE ${CLBLAST_INCLUDE_DIR})
target_link_libraries(clblast INTERFACE ${CLBLAST_LIBRARY})
