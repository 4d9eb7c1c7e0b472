#include "server/config/spring_file.h"

#include "protocol/base/text.h"

#include <string>

namespace obcanal::config {

Result<SpringFile> SpringFile::of(std::string_view location) {
    std::string_view name = location;
    const size_t slash = name.find_last_of("/:");
    if (slash != std::string_view::npos) name.remove_prefix(slash + 1);
    if (name.ends_with(".xml")) name.remove_suffix(4);
    SpringFile file;
    file.oblog = name.starts_with("ob-");
    if (file.oblog) name.remove_prefix(3);
    if (name == "file-instance") {
        file.meta = MetaKind::File;
    } else if (name == "memory-instance") {
        file.meta = MetaKind::Memory;
    } else if (name == "default-instance") {
        file.meta = MetaKind::ZooKeeper;
    } else if (name == "group-instance") {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "group-instance.xml (several sources in one destination) is not supported; give each "
            "source a destination of its own"
        };
    } else {
        return Error{
            Errc::Unsupported,
            Retry::Never,
            "'" + printable(location) +
                "' is none of memory-instance.xml, file-instance.xml, default-instance.xml; other "
                "Spring files describe Java objects and can't be used"
        };
    }
    return file;
}

}  // namespace obcanal::config
