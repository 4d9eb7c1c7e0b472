// What a program says to systemd when that started it, and the limits it asks for. Any thread.
#pragma once

#include <string_view>

namespace obcanal {

// sd_notify's protocol: "READY=1", "STOPPING=1". Nothing without a service manager.
void notify_service_manager(std::string_view state);

// Every connection is a descriptor: use what the system allows us.
void raise_descriptor_limit();

}  // namespace obcanal
