// Runs a .pte, or the program inside a .bpte, a number of times and prints one line of JSON with every latency.
//
//   pocketiqa_runner --model_path=student_int8.pte --inputs=photo.bin --warmup=5 --num_executions=100
//
// The flags are those of ExecuTorch's executor_runner, plus --warmup; inputs are raw tensors in order, outputs
// are written to OUTPUT_FILE-0.bin, OUTPUT_FILE-1.bin. Ends with 0, 1 when the program fails, 2 for misuse.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/platform/runtime.h>

// The wheel ships the library but not this header.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(uint32_t threads);
};
ThreadPool* get_threadpool();
} // namespace executorch::extension::threadpool

using executorch::aten::TensorImpl;
using executorch::extension::BufferDataLoader;
using executorch::extension::MallocMemoryAllocator;
using executorch::runtime::Error;
using executorch::runtime::EValue;
using executorch::runtime::HierarchicalAllocator;
using executorch::runtime::MemoryManager;
using executorch::runtime::Program;
using executorch::runtime::Span;
using Clock = std::chrono::steady_clock;

namespace {

[[noreturn]] void stop(int code, const std::string& message) {
  std::fprintf(stderr, "error: %s\n", message.c_str());
  std::exit(code);
}

// Ends the process when the runtime refused; the number is ExecuTorch's runtime::Error.
void require(Error error, const std::string& what) {
  if (error != Error::Ok) {
    char code[16];
    std::snprintf(code, sizeof(code), "0x%x", static_cast<unsigned>(error));
    stop(1, what + " failed with " + code);
  }
}

std::map<std::string, std::string> parse_flags(int argc, char** argv) {
  std::map<std::string, std::string> flags = {
      {"model_path", "model.pte"}, {"inputs", ""},       {"output_file", ""},       {"num_executions", "1"},
      {"warmup", "0"},             {"cpu_threads", "-1"}, {"method_name", "forward"}, {"print_output", "none"},
  };
  for (int i = 1; i < argc; i++) {
    std::string argument = argv[i];
    const size_t dashes = argument.rfind("--", 0) == 0 ? 2 : argument.rfind('-', 0) == 0 ? 1 : 0;
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(dashes, equals == std::string::npos ? equals : equals - dashes);
    if (!dashes || !flags.count(name)) {
      std::string known;
      for (const auto& flag : flags) known += " --" + flag.first;
      stop(2, "unknown argument '" + argument + "'; known are" + known);
    }
    if (equals != std::string::npos) {
      flags[name] = argument.substr(equals + 1);
    } else if (i + 1 < argc) {
      flags[name] = argv[++i];
    } else {
      stop(2, "--" + name + " needs a value");
    }
  }
  return flags;
}

long number(const std::map<std::string, std::string>& flags, const char* name, long least) {
  char* end = nullptr;
  const std::string& text = flags.at(name);
  const long value = std::strtol(text.c_str(), &end, 10);
  if (text.empty() || *end || value < least) {
    stop(2, std::string("--") + name + " is '" + text + "'; a whole number of at least " + std::to_string(least));
  }
  return value;
}

// A file's bytes at an address that ExecuTorch's segments can be used at.
struct Content {
  std::unique_ptr<uint8_t, decltype(&std::free)> bytes{nullptr, &std::free};
  size_t size = 0;
};

Content aligned_copy(const char* data, size_t size) {
  constexpr size_t alignment = 64;
  Content content;
  content.bytes.reset(static_cast<uint8_t*>(std::aligned_alloc(alignment, (size / alignment + 1) * alignment)));
  if (!content.bytes) stop(1, "out of memory");
  std::memcpy(content.bytes.get(), data, size);
  content.size = size;
  return content;
}

// The program of a .pte, or of a .bpte: there it is the third field of a flatbuffer's root table. The wheel has no
// reader for these, so the few offsets are followed here, each checked against the file's size.
Content program_of(const std::vector<char>& file, const std::string& path) {
  if (file.size() < 8 || std::memcmp(file.data() + 4, "BP08", 4) != 0) return aligned_copy(file.data(), file.size());
  const auto load = [&](size_t at, size_t width) -> uint32_t {
    if (at > file.size() || file.size() - at < width) stop(1, path + " is a damaged .bpte");
    uint32_t value = 0;
    std::memcpy(&value, file.data() + at, width);
    return value;
  };
  const size_t root = load(0, 4);
  const size_t vtable = root - static_cast<int32_t>(load(root, 4));
  constexpr size_t slot = 4 + 2 * 2;
  const size_t field = load(vtable, 2) > slot ? load(vtable + slot, 2) : 0;
  if (!field) stop(1, path + " is a .bpte without a program");
  const size_t vector = root + field + load(root + field, 4);
  const size_t length = load(vector, 4);
  if (length > file.size() || vector + 4 > file.size() - length) stop(1, path + " is a damaged .bpte");
  return aligned_copy(file.data() + vector + 4, length);
}

std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) stop(2, "cannot read " + path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

double milliseconds(Clock::time_point from) {
  return std::chrono::duration<double, std::milli>(Clock::now() - from).count();
}

// Peak resident memory in MiB, 0 where /proc does not tell.
double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::atof(line.c_str() + 6) / 1024;
  }
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  const auto flags = parse_flags(argc, argv);
  const long executions = number(flags, "num_executions", 1), warmup = number(flags, "warmup", 0);
  const long threads = number(flags, "cpu_threads", -1);
  const std::string& path = flags.at("model_path");

  std::vector<std::vector<char>> inputs;
  for (std::string rest = flags.at("inputs"); !rest.empty();) {
    const size_t comma = rest.find(',');
    inputs.push_back(read_file(rest.substr(0, comma)));
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
  }

  executorch::runtime::runtime_init();
  if (threads > 0) {
    executorch::extension::threadpool::get_threadpool()->_unsafe_reset_threadpool(static_cast<uint32_t>(threads));
  }

  const auto began = Clock::now();
  const Content content = program_of(read_file(path), path);
  BufferDataLoader loader(content.bytes.get(), content.size);
  auto program = Program::load(&loader);
  require(program.error(), "loading " + path + " (is it a .pte, and not newer than this runtime?)");
  const char* name = flags.at("method_name").c_str();
  auto meta = program->method_meta(name);
  require(meta.error(), std::string("finding the method ") + name);

  std::vector<std::vector<uint8_t>> buffers;
  std::vector<Span<uint8_t>> spans;
  for (size_t i = 0; i < meta->num_memory_planned_buffers(); i++) {
    buffers.emplace_back(meta->memory_planned_buffer_size(i).get());
    spans.push_back({buffers.back().data(), buffers.back().size()});
  }
  HierarchicalAllocator planned({spans.data(), spans.size()});
  MallocMemoryAllocator method_memory, temporary;
  MemoryManager memory(&method_memory, &planned, &temporary);
  auto method = program->load_method(name, &memory);
  require(method.error(), std::string("loading the method ") + name);
  const double load_ms = milliseconds(began);

  if (inputs.size() != method->inputs_size()) {
    stop(2, "--inputs has " + std::to_string(inputs.size()) + " files, the program takes " +
                std::to_string(method->inputs_size()));
  }
  std::vector<std::unique_ptr<TensorImpl>> tensors;
  for (size_t i = 0; i < inputs.size(); i++) {
    const auto info = meta->input_tensor_meta(i);
    require(info.error(), "reading the inputs' shapes");
    if (info->nbytes() != inputs[i].size()) {
      stop(2, "input " + std::to_string(i) + " has " + std::to_string(inputs[i].size()) +
                  " bytes, the program takes " + std::to_string(info->nbytes()));
    }
    tensors.push_back(std::make_unique<TensorImpl>(
        info->scalar_type(),
        info->sizes().size(),
        const_cast<TensorImpl::SizesType*>(info->sizes().data()),
        inputs[i].data(),
        const_cast<TensorImpl::DimOrderType*>(info->dim_order().data())));
  }

  double first_ms = 0;
  std::vector<double> samples;
  for (long i = 0; i < warmup + executions; i++) {
    // Set again each time: memory planning may reuse an input's place.
    for (size_t k = 0; k < tensors.size(); k++) {
      require(method->set_input(EValue(executorch::aten::Tensor(tensors[k].get())), k), "setting an input");
    }
    const auto start = Clock::now();
    require(method->execute(), "executing");
    const double elapsed = milliseconds(start);
    if (i == 0) first_ms = elapsed;
    if (i >= warmup) samples.push_back(elapsed);
  }

  if (!flags.at("output_file").empty()) {
    for (size_t i = 0; i < method->outputs_size(); i++) {
      const EValue& output = method->get_output(i);
      if (!output.isTensor()) continue;
      const auto tensor = output.toTensor();
      const std::string file = flags.at("output_file") + "-" + std::to_string(i) + ".bin";
      std::ofstream stream(file, std::ios::binary);
      stream.write(static_cast<const char*>(tensor.const_data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
      stream.close();
      if (!stream) stop(1, "cannot write " + file);
    }
  }

  std::printf(
      "{\"runner\": \"pocketiqa_runner, executorch %s\", \"load_ms\": %.6f, \"first_inference_ms\": %.6f, "
      "\"peak_mib\": %.3f, \"warmups_dropped\": %ld, \"samples_ms\": [",
      ET_VERSION, load_ms, first_ms, peak_mib(), warmup);
  for (size_t i = 0; i < samples.size(); i++) std::printf("%s%.6f", i ? ", " : "", samples[i]);
  std::printf("]}\n");
  return 0;
}
