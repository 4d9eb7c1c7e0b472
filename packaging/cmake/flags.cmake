# Warnings, sanitizers and hardening for our own targets; obcanal_flags is linked by every one of them.
add_library(obcanal_flags INTERFACE)
target_include_directories(obcanal_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(obcanal_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Werror)
target_compile_definitions(obcanal_flags INTERFACE OBCANAL_VERSION="${PROJECT_VERSION}")

if(OBCANAL_SANITIZE)
    add_compile_options(-fsanitize=${OBCANAL_SANITIZE} -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${OBCANAL_SANITIZE})
    # g++ 12 doesn't see through Asio's aligned allocation of coroutine frames; the sanitizer checks the same at run time.
    add_compile_options(-Wno-mismatched-new-delete)
    if(OBCANAL_SANITIZE MATCHES "undefined")
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
    if(OBCANAL_SANITIZE STREQUAL "thread")
        add_compile_options(-Wno-tsan)
    endif()
endif()
if(OBCANAL_FUZZERS)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-fstack-protector-strong -D_FORTIFY_SOURCE=2)
    add_link_options(-Wl,-z,relro,-z,now)
endif()

# obc_library(folder_name SOURCES ... [PUBLIC libs...] [PRIVATE libs...]): target obcanal_<name>.
function(obc_library name)
    cmake_parse_arguments(ARG "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(obcanal_${name} STATIC ${ARG_SOURCES})
    target_link_libraries(obcanal_${name} PUBLIC obcanal_flags ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()
