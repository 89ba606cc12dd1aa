# Cross-compiles for 64-bit Arm Linux with Debian's g++-aarch64-linux-gnu; the executorch wheel must be for aarch64.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
