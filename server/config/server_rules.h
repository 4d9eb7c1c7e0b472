// What the keys of the server must say together. Adds findings to the reader's list.
#pragma once

#include "server/config/key_reader.h"
#include "server/config/server_config.h"

namespace obcanal::config {

// Also decides where the admin port may listen.
void check_server(KeyReader& reader, ServerConfig& config);
// canal.destinations or canal.destinations.expr.
void read_destination_list(KeyReader& reader, ServerConfig& config);

}  // namespace obcanal::config
