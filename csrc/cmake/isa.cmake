# Instruction set suffix -> compiler flags. A kernel file <format>_<isa>.c is compiled with the
# flags of its suffix; a level that the compiler cannot build is left out with a message, and
# dispatch keeps the level below.
include(CheckCCompilerFlag)

set(PI_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(PI_FLAGS_avx2vnni ${PI_FLAGS_avx2} -mavxvnni)
set(PI_FLAGS_avx2vnni_evex ${PI_FLAGS_avx2} -mavx512vl -mavx512vnni)
set(PI_FLAGS_avx512vnni -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mfma -mf16c -mbmi2
    -mprefer-vector-width=512)

# Adds to `target` the kernels of one level: every kernels/*/*_<isa>.c named in ARGN.
function(pi_add_isa target isa)
  string(TOUPPER ${isa} upper)
  string(REPLACE ";" " " flags "${PI_FLAGS_${isa}}")
  check_c_compiler_flag("${flags}" PI_COMPILER_HAS_${upper})
  if(NOT PI_COMPILER_HAS_${upper} OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    message(STATUS "pyinfer: ${isa} kernels left out (not buildable here)")
    return()
  endif()
  target_sources(${target} PRIVATE ${ARGN})
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "${PI_FLAGS_${isa}}")
  target_compile_definitions(${target} PUBLIC PI_BUILD_${upper})
endfunction()

# The avx2vnni kernels of ARGN in both encodings of vpdpbusd, AVX-VNNI and AVX-512: a source cannot be
# in one target twice with different flags, so each encoding is an object library.
function(pi_add_avx2vnni target)
  string(REPLACE ";" " " flags "${PI_FLAGS_avx2vnni} ${PI_FLAGS_avx2vnni_evex}")
  check_c_compiler_flag("${flags}" PI_COMPILER_HAS_AVX2VNNI)
  if(NOT PI_COMPILER_HAS_AVX2VNNI OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    message(STATUS "pyinfer: avx2vnni kernels left out (not buildable here)")
    return()
  endif()
  foreach(encoding avx2vnni avx2vnni_evex)
    add_library(${target}_${encoding} OBJECT ${ARGN})
    target_compile_options(${target}_${encoding} PRIVATE
      $<TARGET_PROPERTY:${target},COMPILE_OPTIONS> ${PI_FLAGS_${encoding}})
    target_include_directories(${target}_${encoding} PRIVATE
      $<TARGET_PROPERTY:${target},INCLUDE_DIRECTORIES>)
    set_target_properties(${target}_${encoding} PROPERTIES
      C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS ON
      POSITION_INDEPENDENT_CODE ON C_VISIBILITY_PRESET hidden)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${target}_${encoding}>)
  endforeach()
  target_compile_definitions(${target}_avx2vnni PRIVATE PI_DPBUSD=_mm256_dpbusd_avx_epi32)
  target_compile_definitions(${target}_avx2vnni_evex PRIVATE PI_DPBUSD=_mm256_dpbusd_epi32)
  foreach(file ${ARGN}) # kernels/gemv/q4_0_avx2vnni.c exports pi_gemv_q4_0_avx2vnni
    string(REGEX REPLACE "kernels/(.*)/(.*)\\.c" "pi_\\1_\\2" symbol ${file})
    target_compile_definitions(${target}_avx2vnni_evex PRIVATE ${symbol}=${symbol}_evex)
  endforeach()
  target_compile_definitions(${target} PUBLIC PI_BUILD_AVX2VNNI)
endfunction()
