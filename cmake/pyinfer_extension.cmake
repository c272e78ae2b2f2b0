# One extension module pyinfer._kernels.<name> from pyinfer/_kernels/<name>.pyx, linked with the C
# core. Typed memoryviews carry the arrays, so NumPy headers are not needed.
find_package(Python REQUIRED COMPONENTS Interpreter Development.Module)
include(UseCython)

set(PI_CYTHON_ARGS
  -3 -X boundscheck=False -X wraparound=False -X initializedcheck=False
  -X freethreading_compatible=True)

function(pyinfer_extension name)
  set(package ${PROJECT_SOURCE_DIR}/pyinfer/_kernels)
  cython_transpile(${package}/${name}.pyx LANGUAGE C
    OUTPUT ${CMAKE_BINARY_DIR}/cython/${name}.c
    OUTPUT_VARIABLE source
    CYTHON_ARGS ${PI_CYTHON_ARGS} -I ${PROJECT_SOURCE_DIR})
  python_add_library(${name} MODULE ${source} WITH_SOABI)
  set_target_properties(${name} PROPERTIES C_STANDARD 11 C_VISIBILITY_PRESET hidden)
  target_link_libraries(${name} PRIVATE pyinfer_core)
  # Generated code: warnings are Cython's business.
  target_compile_options(${name} PRIVATE -w)
  if(PYINFER_INPLACE)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${package})
  endif()
  install(TARGETS ${name} LIBRARY DESTINATION pyinfer/_kernels)
endfunction()
