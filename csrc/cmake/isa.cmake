# Instruction set levels of the architecture that is built for, one line each: the name, which is the
# suffix of the level's kernel files, and the compiler flags of those files. A level that the compiler
# cannot build is left out with a message, and its row of dispatch/<architecture>.c says so at run time.
include(CheckCCompilerFlag)

set(PI_AVX2_FLAGS -mavx2 -mfma -mf16c -mbmi2)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(PI_ARCHITECTURE x86)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64|ARM64")
  set(PI_ARCHITECTURE arm)
else()
  set(PI_ARCHITECTURE generic)
endif()

# Adds the kernels of every level to `target`.
function(pi_add_levels target)
  if(PI_ARCHITECTURE STREQUAL x86)
    pi_add_level(${target} avx2 ${PI_AVX2_FLAGS})
    pi_add_avx2vnni(${target})
    pi_add_level(${target} avx512vnni -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma
                 -mf16c -mbmi2 -mprefer-vector-width=512)
  elseif(PI_ARCHITECTURE STREQUAL arm)
    # gcc's first scheduling pass lengthens live ranges until sums leave the registers. clang has no such
    # pass, and a flag that it does not know would cost the level.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
      set(order -fno-schedule-insns)
    endif()
    pi_add_level(${target} neon -march=armv8-a ${order})
    pi_add_level(${target} neondot -march=armv8.2-a+dotprod ${order})
    pi_add_level(${target} neoni8mm -march=armv8.2-a+dotprod+i8mm ${order})
  endif()
endfunction()

# Kernel files of one level, by their names.
function(pi_kernels_of level result)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR}
       kernels/*_${level}.c)
  set(${result} ${files} PARENT_SCOPE)
endfunction()

# Whether the compiler takes the flags in ARGN.
function(pi_can_build level result)
  string(TOUPPER ${level} upper)
  string(REPLACE ";" " " flags "${ARGN}")
  check_c_compiler_flag("${flags}" PI_COMPILER_HAS_${upper})
  if(NOT PI_COMPILER_HAS_${upper})
    message(STATUS "pyinfer: ${level} kernels left out (the compiler cannot build them)")
  endif()
  set(${result} ${PI_COMPILER_HAS_${upper}} PARENT_SCOPE)
endfunction()

function(pi_add_level target level)
  pi_can_build(${level} possible ${ARGN})
  if(possible)
    pi_kernels_of(${level} files)
    string(TOUPPER ${level} upper)
    target_sources(${target} PRIVATE ${files})
    set_source_files_properties(${files} PROPERTIES COMPILE_OPTIONS "${ARGN}")
    target_compile_definitions(${target} PUBLIC PI_BUILD_${upper})
  endif()
endfunction()

# The avx2vnni kernels in both encodings of vpdpbusd, AVX-VNNI and AVX-512: a source cannot be in one
# target twice with different flags, so each encoding is an object library.
function(pi_add_avx2vnni target)
  set(flags_avx2vnni ${PI_AVX2_FLAGS} -mavxvnni)
  set(flags_avx2vnni_evex ${PI_AVX2_FLAGS} -mavx512vl -mavx512vnni)
  pi_can_build(avx2vnni possible ${flags_avx2vnni} ${flags_avx2vnni_evex})
  if(NOT possible)
    return()
  endif()
  pi_kernels_of(avx2vnni files)
  foreach(encoding avx2vnni avx2vnni_evex)
    add_library(${target}_${encoding} OBJECT ${files})
    target_compile_options(${target}_${encoding} PRIVATE
      $<TARGET_PROPERTY:${target},COMPILE_OPTIONS> ${flags_${encoding}})
    target_include_directories(${target}_${encoding} PRIVATE
      $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
    set_target_properties(${target}_${encoding} PROPERTIES
      C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
      POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${encoding}>)
  endforeach()
  target_compile_definitions(${target}_avx2vnni PRIVATE PI_DPBUSD=_mm256_dpbusd_avx_epi32)
  target_compile_definitions(${target}_avx2vnni_evex PRIVATE PI_DPBUSD=_mm256_dpbusd_epi32)
  foreach(file ${files}) # formats/q4_0/gemv_avx2vnni.c exports pi_gemv_q4_0_avx2vnni
    string(REGEX REPLACE "formats/(.*)/([a-z]*)_avx2vnni" "\\2/\\1_avx2vnni" symbol ${file})
    string(REGEX REPLACE "kernels/(.*)/(.*)\\.c" "pi_\\1_\\2" symbol ${symbol})
    target_compile_definitions(${target}_avx2vnni_evex PRIVATE ${symbol}=${symbol}_evex)
  endforeach()
  target_compile_definitions(${target} PUBLIC PI_BUILD_AVX2VNNI)
endfunction()
