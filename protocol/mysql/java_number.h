// Floating-point numbers as Java's Float.toString and Double.toString print them (the shortest
// digits that give the number back, as JDK 19 and later do). Pure functions.
#pragma once

#include <cstddef>
#include <string>

namespace obcanal::mysql {

inline constexpr size_t kLongestJavaNumber = 32;

// Writes to `to`, which has room for kLongestJavaNumber; returns the end.
char* write_java(double value, char* to);
char* write_java(float value, char* to);

std::string java_text(double value);

}  // namespace obcanal::mysql
