# The packages: a .deb laid out as Debian has it, and a tarball laid out as Canal's. `--target packages` makes both in
# <build>/packages. Each is a component of install rules; nothing is installed by default.
if(NOT TARGET obcanal-server OR NOT TARGET obcanal OR NOT TARGET obcanal-adapter)
    return()
endif()
set(programs obcanal-server obcanal obcanal-adapter)
# Of which there is a sample mapping; debian/conffiles names each of them, too.
set(adapter_targets rdb es6 es7 es8)
set(packaging ${PROJECT_SOURCE_DIR}/packaging)
set(generated ${PROJECT_BINARY_DIR}/packaging)

# -- Manual pages, from what the programs say about themselves and from the tables that keys are read by.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(page_1 ${generated}/obcanal.1)
set(page_5 ${generated}/obcanal.properties.5)
set(page_8 ${generated}/obcanal-server.8)
set(adapter_page_8 ${generated}/obcanal-adapter.8)
foreach(page ${page_1} ${page_8} ${adapter_page_8})
    cmake_path(GET page FILENAME name)
    cmake_path(GET page STEM LAST_ONLY program)
    set(template ${packaging}/man/${name}.in)
    set(script ${packaging}/man/program_page.py)
    add_custom_command(OUTPUT ${page}
        COMMAND Python3::Interpreter ${script} ${template} ${page} ${PROJECT_VERSION} $<TARGET_FILE:${program}>
        DEPENDS ${script} ${template} ${program} VERBATIM)
endforeach()
add_executable(obcanal-keys-page EXCLUDE_FROM_ALL ${packaging}/man/keys_page.cpp)
target_link_libraries(obcanal-keys-page PRIVATE obcanal_config)
set(template ${packaging}/man/obcanal.properties.5.in)
add_custom_command(OUTPUT ${page_5}
    COMMAND obcanal-keys-page ${template} ${page_5} DEPENDS obcanal-keys-page ${template} VERBATIM)
foreach(page ${page_1} ${page_5} ${page_8} ${adapter_page_8})
    add_custom_command(OUTPUT ${page}.gz COMMAND gzip -9nkf ${page} DEPENDS ${page} VERBATIM)
endforeach()
add_custom_target(manual DEPENDS ${page_1}.gz ${page_5}.gz ${page_8}.gz ${adapter_page_8}.gz)

# -- Debian
set(deb COMPONENT deb EXCLUDE_FROM_ALL)
install(TARGETS ${programs} RUNTIME DESTINATION usr/bin ${deb})
# Cursors are state, not configuration.
file(READ ${PROJECT_SOURCE_DIR}/conf/canal.properties properties)
set(data_dir "canal.file.data.dir = \${canal.conf.dir}\n")
string(FIND "${properties}" "${data_dir}" found)
if(found EQUAL -1)
    message(FATAL_ERROR "conf/canal.properties: no line '${data_dir}' to put Debian's directory into")
endif()
string(REPLACE "${data_dir}" "canal.file.data.dir = /var/lib/obcanal\n" properties "${properties}")
file(WRITE ${generated}/canal.properties "${properties}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/conf/canal.properties)
install(FILES ${generated}/canal.properties DESTINATION etc/obcanal ${deb})
install(FILES ${PROJECT_SOURCE_DIR}/conf/users.yml DESTINATION etc/obcanal ${deb})
install(FILES ${PROJECT_SOURCE_DIR}/conf/example/instance.properties DESTINATION etc/obcanal/example ${deb})
file(READ ${PROJECT_SOURCE_DIR}/conf/adapter/application.yml application)
set(data_dir "  data.dir:\n")
string(FIND "${application}" "${data_dir}" found)
if(found EQUAL -1)
    message(FATAL_ERROR "conf/adapter/application.yml: no line '${data_dir}' to put Debian's directory into")
endif()
string(REPLACE "${data_dir}" "  data.dir: /var/lib/obcanal/adapter\n" application "${application}")
file(WRITE ${generated}/application.yml "${application}")
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/conf/adapter/application.yml)
install(FILES ${generated}/application.yml DESTINATION etc/obcanal ${deb})
foreach(target ${adapter_targets})
    install(FILES ${PROJECT_SOURCE_DIR}/conf/adapter/${target}/mytest_user.yml DESTINATION etc/obcanal/${target} ${deb})
endforeach()
install(FILES ${packaging}/debian/obcanal-server.service ${packaging}/debian/obcanal-adapter.service
    DESTINATION lib/systemd/system ${deb})
install(FILES ${packaging}/debian/obcanal.logrotate DESTINATION etc/logrotate.d RENAME obcanal ${deb})
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/conf/DIFFERENCES.md ${PROJECT_SOURCE_DIR}/conf/KEYS.md
              ${PROJECT_SOURCE_DIR}/conf/ADAPTER_KEYS.md
              ${PROJECT_SOURCE_DIR}/conf/BINLOG_SERVICE.md
    DESTINATION usr/share/doc/obcanal ${deb})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION usr/share/doc/obcanal RENAME copyright ${deb})
foreach(section 1 5 8)
    install(FILES ${page_${section}}.gz DESTINATION usr/share/man/man${section} ${deb})
endforeach()
install(FILES ${adapter_page_8}.gz DESTINATION usr/share/man/man8 ${deb})

# -- Canal's layout. The programs as built find the libraries beside them (see the run path below).
set(tarball COMPONENT tarball EXCLUDE_FROM_ALL)
foreach(program ${programs})
    # For the libraries of our libraries too, hence the old kind of run path. Debian's programs are installed without.
    set_target_properties(${program} PROPERTIES BUILD_RPATH "\$ORIGIN/../lib")
    target_link_options(${program} PRIVATE -Wl,--disable-new-dtags)
    install(PROGRAMS $<TARGET_FILE:${program}> DESTINATION bin ${tarball})
endforeach()
install(PROGRAMS ${packaging}/tarball/startup.sh ${packaging}/tarball/stop.sh ${packaging}/tarball/restart.sh
                 ${packaging}/tarball/adapter.sh
    DESTINATION bin ${tarball})
install(FILES ${packaging}/tarball/common.sh DESTINATION bin ${tarball})
install(FILES ${PROJECT_SOURCE_DIR}/conf/canal.properties ${PROJECT_SOURCE_DIR}/conf/users.yml
              ${PROJECT_SOURCE_DIR}/conf/DIFFERENCES.md ${PROJECT_SOURCE_DIR}/conf/KEYS.md
              ${PROJECT_SOURCE_DIR}/conf/ADAPTER_KEYS.md ${PROJECT_SOURCE_DIR}/conf/adapter/application.yml
              ${PROJECT_SOURCE_DIR}/conf/BINLOG_SERVICE.md
    DESTINATION conf ${tarball})
foreach(target ${adapter_targets})
    install(FILES ${PROJECT_SOURCE_DIR}/conf/adapter/${target}/mytest_user.yml DESTINATION conf/${target} ${tarball})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/conf/example/instance.properties DESTINATION conf/example ${tarball})
install(DIRECTORY DESTINATION logs ${tarball})
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION . ${tarball})
foreach(section 1 5 8)
    install(FILES ${page_${section}} DESTINATION man/man${section} ${tarball})
endforeach()
install(FILES ${adapter_page_8} DESTINATION man/man8 ${tarball})
list(TRANSFORM programs PREPEND "${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/" OUTPUT_VARIABLE program_files)
configure_file(${packaging}/cmake/bundle.cmake.in ${generated}/bundle.cmake @ONLY)
install(SCRIPT ${generated}/bundle.cmake ${tarball})

# -- CPack
set(CPACK_PACKAGE_NAME obcanal)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_VENDOR "obcanal")
set(CPACK_PACKAGE_CONTACT "obcanal maintainers <maintainers@obcanal.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Serves the incremental log of OceanBase to Canal clients")
set(CPACK_PACKAGE_DESCRIPTION "A server with the protocol, the configuration and the cursors of Alibaba's Canal server.
It reads OceanBase's log through oblogproxy. Unmodified Canal clients read it.")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB TGZ)
set(CPACK_PROJECT_CONFIG_FILE ${packaging}/cmake/cpack_generator.cmake)
set(CPACK_SYSTEM_NAME ${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "logrotate")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${packaging}/debian/postinst ${packaging}/debian/prerm ${packaging}/debian/postrm ${packaging}/debian/conffiles)
include(CPack)
add_custom_target(packages
    COMMAND ${CMAKE_CPACK_COMMAND} --config ${PROJECT_BINARY_DIR}/CPackConfig.cmake
    DEPENDS ${programs} manual
    COMMENT "Packing into packages/" VERBATIM)
