// What the name of a Spring file in canal.instance.global.spring.xml stands for.
#pragma once

#include "protocol/base/result.h"
#include "server/config/instance_config.h"

#include <string_view>

namespace obcanal::config {

struct SpringFile {
    MetaKind meta = MetaKind::File;
    bool oblog = false;  // one of OceanBase's: the source is a log proxy

    // Unsupported for the multi-source file and for any other bean graph.
    static Result<SpringFile> of(std::string_view location);
};

}  // namespace obcanal::config
