// outerAdapters[] named es, es6, es7, es8: where the cluster is and how to get in (client-adapter,
// 3.1). Plain data.
#pragma once

#include "adapter/config/adapter_config.h"
#include "protocol/base/result.h"
#include "protocol/base/time_zone.h"
#include "protocol/net/http_client.h"

#include <memory>
#include <string>
#include <vector>

namespace obcanal::adapter::es {

struct EsOptions {
    HttpClientOptions http;
    std::shared_ptr<const TimeZone> zone;  // of the source's dates
    // May an UPDATE write a whole document where nobody else has fields in the index?
    bool whole_documents = true;
    std::vector<std::string> warnings;
};

// An Error names the adapter's place and the key.
Result<EsOptions> read_es_options(const config::OuterAdapterConfig& adapter);

}  // namespace obcanal::adapter::es
