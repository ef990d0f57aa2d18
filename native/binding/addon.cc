// What JavaScript sees of the native core; src/backends/native wraps it in types and is its only user. Executors,
// programs and jobs are numbers here, so that a wrong one is an error and never a wild pointer.

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "../runtime/machine.h"
#include "arguments.h"
#include "session.h"

namespace athanor::binding {

namespace {

// State of one environment: the main thread and each worker have their own.
struct Addon {
  Machine machine = inspectMachine();
  std::map<uint32_t, std::unique_ptr<Session>> sessions;
  uint32_t nextSession = 0;
};

Addon& addonOf(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Addon*>(data);
}

// The executor of the next argument, or nullptr with an exception pending.
Session* takeSession(napi_env env, Arguments& arguments) {
  const int64_t number = arguments.integer("the executor");
  if (!arguments.ok()) return nullptr;
  auto& sessions = addonOf(env).sessions;
  const auto found = sessions.find(uint32_t(number));
  if (found != sessions.end() && !found->second->isClosing()) return found->second.get();
  throwError(env, ARGUMENT, "This executor is closed.");
  return nullptr;
}

LoadedProgram* takeProgram(napi_env env, Session& session, Arguments& arguments, std::shared_ptr<LoadedProgram>* owner) {
  const int64_t number = arguments.integer("the program");
  if (!arguments.ok()) return nullptr;
  const auto found = session.programs.find(uint32_t(number));
  if (found == session.programs.end()) {
    throwError(env, ARGUMENT, "This program is not loaded: it was unloaded, or belongs to another executor.");
    return nullptr;
  }
  *owner = found->second;
  return found->second.get();
}

// An array buffer on the block's memory, which lives as long as the buffer.
napi_value externalBuffer(napi_env env, std::shared_ptr<Block> block) {
  napi_value buffer = nullptr;
  if (block->bytes() == 0) {
    void* data = nullptr;
    napi_create_arraybuffer(env, 0, &data, &buffer);
    return buffer;
  }
  auto* owner = new std::shared_ptr<Block>(std::move(block));
  const napi_status made = napi_create_external_arraybuffer(
      env, (*owner)->data(), (*owner)->bytes(),
      [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Block>*>(hint); }, owner, &buffer);
  if (made == napi_ok) return buffer;
  const size_t bytes = (*owner)->bytes();
  delete owner;
  bool isPending = false;
  napi_is_exception_pending(env, &isPending);
  if (isPending) return nullptr;
  return throwError(env, CAPACITY, "Node cannot show " + std::to_string(bytes) + " bytes of native memory as one buffer.");
}

napi_value machine(napi_env env, napi_callback_info) {
  const Machine& m = addonOf(env).machine;
  napi_value object = nullptr, isas = nullptr;
  napi_create_object(env, &object);
  napi_create_array(env, &isas);
  uint32_t n = 0;
  for (const Isa* const* isa = usableIsas(); *isa != nullptr; isa++) napi_set_element(env, isas, n++, makeText(env, (*isa)->table.isa));
  setField(env, object, "isa", makeText(env, usableIsas()[0]->table.isa));
  setField(env, object, "isas", isas);
  setField(env, object, "lanes", makeNumber(env, usableIsas()[0]->lanes));
  setField(env, object, "threads", makeNumber(env, m.threads));
  setField(env, object, "l1Bytes", makeNumber(env, double(m.l1Bytes)));
  setField(env, object, "l2Bytes", makeNumber(env, double(m.l2Bytes)));
  setField(env, object, "l3Bytes", makeNumber(env, double(m.l3Bytes)));
  setField(env, object, "cpuModel", makeText(env, m.cpuModel));
  return object;
}

// open(threads, isa): 0 and '' for what the machine has.
napi_value open(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const int64_t threads = arguments.integer("threads");
  const std::string name = arguments.text("isa");
  if (!arguments.ok()) return nullptr;
  constexpr int64_t MOST_THREADS = 1024;  // more than any machine's cores; each costs a stack
  if (threads > MOST_THREADS) return arguments.fail("threads", "at most 1024");
  std::string error;
  const Isa* isa = name.empty() ? usableIsas()[0] : findIsa(name, error);
  if (isa == nullptr) return throwError(env, BACKEND, "Cannot open the native core: " + error + ".");
  Addon& addon = addonOf(env);
  auto session = Session::open(env, *isa, threads == 0 ? addon.machine.threads : int(threads), addon.machine.l3Bytes);
  if (session == nullptr) return nullptr;
  napi_value object = nullptr;
  napi_create_object(env, &object);
  setField(env, object, "executor", makeNumber(env, addon.nextSession));
  setField(env, object, "isa", makeText(env, isa->table.isa));
  setField(env, object, "lanes", makeNumber(env, isa->lanes));
  setField(env, object, "threads", makeNumber(env, session->executor().pool().threads()));
  addon.sessions.emplace(addon.nextSession++, std::move(session));
  return object;
}

napi_value dtypesOf(napi_env env, const std::vector<Operand>& operands) {
  napi_value list = nullptr;
  napi_create_array_with_length(env, operands.size(), &list);
  for (uint32_t i = 0; i < operands.size(); i++)
    napi_set_element(env, list, i, makeNumber(env, double(operands[i].view.dtype)));
  return list;
}

// load(executor, bytes) → {program, inputs: dtype codes, outputs: dtype codes, dims: largest values, instructions}
napi_value load(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  if (session == nullptr) return nullptr;
  const Bytes bytes = arguments.bytes("the program's bytes");
  if (!arguments.ok()) return nullptr;
  LoadFailure failure;
  std::string error;
  auto loaded = session->executor().load(bytes.data, bytes.length, failure, error);
  if (loaded == nullptr)
    return throwError(env, failure == LoadFailure::capacity ? CAPACITY : FORMAT, "Cannot load the program: " + error + ".");
  const Program& program = loaded->program;
  napi_value object = nullptr, dims = nullptr;
  napi_create_object(env, &object);
  napi_create_array(env, &dims);
  for (uint32_t i = 0; i < program.dims.size(); i++) napi_set_element(env, dims, i, makeNumber(env, program.dims[i]));
  setField(env, object, "program", makeNumber(env, session->nextProgram));
  setField(env, object, "inputs", dtypesOf(env, program.inputs));
  setField(env, object, "outputs", dtypesOf(env, program.outputs));
  setField(env, object, "dims", dims);
  setField(env, object, "instructions", makeNumber(env, double(program.instructions.size())));
  session->programs.emplace(session->nextProgram++, std::move(loaded));
  return object;
}

// unload(executor, program): its runs that are queued go on.
napi_value unload(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  std::shared_ptr<LoadedProgram> program;
  if (session == nullptr || takeProgram(env, *session, arguments, &program) == nullptr) return nullptr;
  for (auto it = session->programs.begin(); it != session->programs.end(); it++) {
    if (it->second != program) continue;
    session->programs.erase(it);
    break;
  }
  return nullptr;
}

// state(executor, id) → ArrayBuffer, undefined when no loaded program declared it
napi_value state(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  if (session == nullptr) return nullptr;
  const std::string id = arguments.text("the state's id");
  if (!arguments.ok()) return nullptr;
  auto block = session->executor().state(id);
  return block == nullptr ? nullptr : externalBuffer(env, std::move(block));
}

// arrange(executor, id, bytes, dtype code, rows, columns, back): a state in a block format from ggml's bytes, or to them
napi_value arrange(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  if (session == nullptr) return nullptr;
  const std::string id = arguments.text("the state's id");
  const Bytes bytes = arguments.bytes("the blocks");
  const int64_t code = arguments.integer("the dtype");
  const int64_t rows = arguments.integer("rows"), cols = arguments.integer("columns");
  const bool back = arguments.boolean("back");
  if (!arguments.ok()) return nullptr;
  const auto block = session->executor().state(id);
  const DType format = DType(code);
  if (code > int64_t(LAST_DTYPE) || !isBlockFormat(format)) return arguments.fail("the dtype", "a block format");
  const BlockSize size = blockSize(format);
  const bool fits = block != nullptr && bytes.length == block->bytes() && cols % size.values == 0 &&
                    (cols == 0 || rows <= int64_t(bytes.length)) &&
                    __int128(rows) * (cols / size.values) * size.bytes == __int128(bytes.length);
  if (!fits) return arguments.fail("the blocks", "all blocks of a state");
  auto* state = reinterpret_cast<uint8_t*>(block->data());
  auto* given = const_cast<uint8_t*>(bytes.data);
  session->isa().arrangeWeight(format, cols == 0 ? 0 : rows, cols, back ? state : given, back ? given : state, back);
  return nullptr;
}

napi_value memory(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  if (session == nullptr) return nullptr;
  const Memory memory = session->executor().memory();
  napi_value object = nullptr;
  napi_create_object(env, &object);
  setField(env, object, "arenaBytes", makeNumber(env, double(memory.arenaBytes)));
  setField(env, object, "stateBytes", makeNumber(env, double(memory.stateBytes)));
  return object;
}

bool takeDims(napi_env env, napi_value list, uint32_t length, Job& job) {
  const Program& program = job.program->program;
  if (length != program.dims.size()) {
    throwError(env, ARGUMENT, "Cannot run the program: it has " + std::to_string(program.dims.size()) +
                              " bound dimensions, " + std::to_string(length) + " were given.");
    return false;
  }
  for (uint32_t i = 0; i < length; i++) {
    napi_value element = nullptr;
    double value = -1;
    napi_get_element(env, list, i, &element);
    if (napi_get_value_double(env, element, &value) != napi_ok || !(value >= 0 && value <= program.dims[i]) ||
        value != double(int64_t(value))) {
      throwError(env, ARGUMENT, "Cannot run the program: bound dimension " + std::to_string(i) +
                                " must be an integer from 0 to " + std::to_string(program.dims[i]) + ".");
      return false;
    }
    job.dims.push_back(int64_t(value));
  }
  return true;
}

// Copies the inputs into one block with room for their largest dimensions, so that no operand can read beyond it.
bool takeInputs(napi_env env, napi_value list, uint32_t length, Job& job) {
  const Program& program = job.program->program;
  if (length != program.inputs.size()) {
    throwError(env, ARGUMENT, "Cannot run the program: it has " + std::to_string(program.inputs.size()) + " inputs, " +
                              std::to_string(length) + " were given.");
    return false;
  }
  constexpr size_t ALIGNMENT = 64;
  size_t total = ALIGNMENT;
  for (const Operand& input : program.inputs) total += (extentBytes(input.view) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  job.staging.reset(static_cast<std::byte*>(std::aligned_alloc(ALIGNMENT, total)));
  if (job.staging == nullptr) {
    throwError(env, CAPACITY, "Cannot run the program: the system refused " + std::to_string(total) + " bytes for its inputs.");
    return false;
  }
  std::byte* place = job.staging.get();
  for (uint32_t i = 0; i < length; i++) {
    const Operand& input = program.inputs[i];
    View view = input.view;
    resolveShape(input, job.dims.data(), view);
    const uint64_t need = extentBytes(view);
    napi_value element = nullptr;
    Bytes bytes{nullptr, 0};
    napi_get_element(env, list, i, &element);
    if (!bytesOf(env, element, bytes) || bytes.length < need) {
      throwError(env, ARGUMENT, "Cannot run the program: input " + std::to_string(i) + " needs a typed array of " +
                                std::to_string(need) + " bytes for these dimensions, and has " + std::to_string(bytes.length) + ".");
      return false;
    }
    if (Block::guard() != Block::Guard::none) {
      const auto block = Block::allocate(extentBytes(input.view));
      if (block == nullptr) {
        throwError(env, CAPACITY, "Cannot run the program: the system refused guarded memory for its inputs.");
        return false;
      }
      place = block->data();
      job.guarded.push_back(block);
    }
    if (need > 0) std::memcpy(place, bytes.data, need);
    // A program may read rows that are not there (row 0 of none): they are zeros, the same in every run.
    std::memset(place + need, 0, extentBytes(input.view) - need);
    job.inputs.push_back(place);
    place += (extentBytes(input.view) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  return true;
}

// Makes {outputs: ArrayBuffer[], seconds: Float64Array | undefined}, which the job fills.
bool makeResult(napi_env env, bool profile, Job& job) {
  const Program& program = job.program->program;
  napi_value result = nullptr, outputs = nullptr;
  napi_create_object(env, &result);
  napi_create_array_with_length(env, program.outputs.size(), &outputs);
  for (uint32_t i = 0; i < program.outputs.size(); i++) {
    View view = program.outputs[i].view;
    resolveShape(program.outputs[i], job.dims.data(), view);
    napi_value buffer = nullptr;
    void* data = nullptr;
    const size_t bytes = size_t(view.size()) * elementBytes(view.dtype);
    if (napi_create_arraybuffer(env, bytes, &data, &buffer) != napi_ok) {
      bool isPending = false;
      napi_is_exception_pending(env, &isPending);
      if (!isPending)
        throwError(env, CAPACITY, "Cannot run the program: Node has no " + std::to_string(bytes) + " bytes for output " + std::to_string(i) + ".");
      return false;
    }
    napi_set_element(env, outputs, i, buffer);
    job.outputs.push_back(static_cast<std::byte*>(data));
  }
  setField(env, result, "outputs", outputs);
  if (profile) setField(env, result, "seconds", makeFloat64Array(env, program.instructions.size(), &job.seconds));
  return napi_create_reference(env, result, 1, &job.result) == napi_ok;
}

// start(executor, program, inputs, dims, profile) → {job, promise of {outputs, seconds}}
napi_value start(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  auto job = std::make_unique<Job>();
  if (session == nullptr || takeProgram(env, *session, arguments, &job->program) == nullptr) return nullptr;
  uint32_t nInputs = 0, nDims = 0;
  const napi_value inputs = arguments.array("inputs", nInputs);
  const napi_value dims = arguments.array("dims", nDims);
  const bool profile = arguments.boolean("profile");
  if (!arguments.ok()) return nullptr;
  if (!takeDims(env, dims, nDims, *job) || !takeInputs(env, inputs, nInputs, *job) || !makeResult(env, profile, *job))
    return nullptr;
  napi_value object = nullptr;
  napi_create_object(env, &object);
  uint32_t number = 0;
  setField(env, object, "promise", session->submit(std::move(job), number));
  setField(env, object, "job", makeNumber(env, number));
  return object;
}

// abort(executor, job)
napi_value abort(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  if (session == nullptr) return nullptr;
  const int64_t job = arguments.integer("the job");
  if (arguments.ok()) session->abort(uint32_t(job));
  return nullptr;
}

// measurePeak(executor) → promise of {f32Flops, bf16Flops, readBytes}, each per second
napi_value measurePeak(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  uint32_t number;
  return session == nullptr ? nullptr : session->submit(std::make_unique<Job>(), number);
}

struct Closing {
  uint32_t session;
  napi_deferred deferred;
};

// close(executor) → promise; the executor is gone for JavaScript when it resolves
napi_value close(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  Session* session = takeSession(env, arguments);
  if (session == nullptr) return nullptr;
  uint32_t number = 0;
  for (const auto& [id, one] : addonOf(env).sessions)
    if (one.get() == session) number = id;
  auto* closing = new Closing{number, nullptr};
  napi_value promise = nullptr;
  napi_create_promise(env, &closing->deferred, &promise);
  session->close(
      [](napi_env env, void* context) {
        std::unique_ptr<Closing> closing(static_cast<Closing*>(context));
        addonOf(env).sessions.erase(closing->session);
        napi_value nothing = nullptr;
        napi_get_undefined(env, &nothing);
        napi_resolve_deferred(env, closing->deferred, nothing);
      },
      closing);
  return promise;
}

// mapFile(path, offset, length) → ArrayBuffer of the file's bytes
napi_value mapFile(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const std::string path = arguments.text("path");
  const int64_t offset = arguments.integer("offset");
  const int64_t length = arguments.integer("length");
  if (!arguments.ok()) return nullptr;
  auto block = Block::mapFile(path.c_str(), uint64_t(offset), uint64_t(length));
  if (block != nullptr) return externalBuffer(env, std::move(block));
  // As Node's own file errors: a message that begins with the code, and the code.
  const int error = errno;
  const char* code = error == ENOENT ? "ENOENT" : error == EACCES ? "EACCES" : error == EISDIR ? "EISDIR"
                   : error == EMFILE ? "EMFILE" : error == ENOTDIR ? "ENOTDIR" : error == ENOMEM ? "ENOMEM" : "EIO";
  return throwError(env, code, std::string(code) + ": cannot map \"" + path + "\": " + std::strerror(error));
}

napi_value opTableHash(napi_env env, napi_callback_info) {
  napi_value value = nullptr;
  napi_create_bigint_uint64(env, OP_TABLE_HASH, &value);
  return value;
}

}  // namespace

}  // namespace athanor::binding

NAPI_MODULE_INIT() {
  using namespace athanor::binding;
  napi_set_instance_data(env, new Addon(), [](napi_env, void* data, void*) { delete static_cast<Addon*>(data); }, nullptr);
  const auto method = [&](const char* name, napi_callback function) {
    napi_value value = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value);
    napi_set_named_property(env, exports, name, value);
  };
  method("opTableHash", opTableHash);
  method("machine", machine);
  method("open", open);
  method("load", load);
  method("unload", unload);
  method("state", state);
  method("arrange", arrange);
  method("memory", memory);
  method("start", start);
  method("abort", abort);
  method("measurePeak", measurePeak);
  method("close", close);
  method("mapFile", mapFile);
  return exports;
}
