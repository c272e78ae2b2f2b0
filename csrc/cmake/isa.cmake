# Instruction set suffix -> compiler flags. A kernel file <format>_<isa>.c is compiled with the
# flags of its suffix; a level that the compiler cannot build is left out with a message, and
# dispatch keeps the level below.
include(CheckCCompilerFlag)

set(PI_ISA_LEVELS avx2 avx512vnni)
set(PI_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
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
