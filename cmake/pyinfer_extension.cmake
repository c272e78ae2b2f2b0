# One extension module pyinfer._kernels.<name> from pyinfer/_kernels/<name>.pyx, linked with the C
# core. Typed memoryviews carry the arrays, so NumPy headers are not needed.
#
# The modules use the limited API of Python 3.11 (abi3), so one build serves that version and all later
# ones. A free-threaded interpreter has no stable ABI yet: there a build serves its own version.
find_package(Python REQUIRED COMPONENTS Interpreter)
include(UseCython)
execute_process(
  COMMAND ${Python_EXECUTABLE} -c
    "import sysconfig; print(sysconfig.get_config_var('Py_GIL_DISABLED') or 0)"
  OUTPUT_VARIABLE PI_FREE_THREADED OUTPUT_STRIP_TRAILING_WHITESPACE)
if(PI_FREE_THREADED)
  find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
  set(PI_PYTHON_ABI "")
else()
  find_package(Python REQUIRED COMPONENTS Interpreter Development.Module Development.SABIModule)
  set(PI_PYTHON_ABI USE_SABI 3.11)
endif()

set(PI_CYTHON_ARGS
  -3 -X boundscheck=False -X wraparound=False -X initializedcheck=False
  -X freethreading_compatible=True)

function(pyinfer_extension name)
  set(package ${PROJECT_SOURCE_DIR}/pyinfer/_kernels)
  cython_transpile(${package}/${name}.pyx LANGUAGE C
    OUTPUT ${CMAKE_BINARY_DIR}/cython/${name}.c
    OUTPUT_VARIABLE source
    CYTHON_ARGS ${PI_CYTHON_ARGS} -I ${PROJECT_SOURCE_DIR})
  python_add_library(${name} MODULE ${source} WITH_SOABI ${PI_PYTHON_ABI})
  set_target_properties(${name} PROPERTIES C_STANDARD 11 C_VISIBILITY_PRESET hidden)
  target_link_libraries(${name} PRIVATE pyinfer_core)
  # Generated code: warnings are Cython's business.
  target_compile_options(${name} PRIVATE -w)
  if(PYINFER_INPLACE)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${package})
  endif()
  install(TARGETS ${name} LIBRARY DESTINATION pyinfer/_kernels)
endfunction()
