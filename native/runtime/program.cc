#include "program.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace athanor {

namespace {

constexpr uint32_t MAGIC = 0x50485441;  // "ATHP"
constexpr uint32_t VERSION = 2;
constexpr uint16_t COMMITS = 1;
constexpr size_t OPERAND_HEAD = 24, INSTRUCTION_HEAD = 32, STATE_HEAD = 12;

// No size, offset or stride of a real program comes near it, and products of two stay within 128 bits.
constexpr int64_t LARGEST = int64_t(1) << 47;

std::string text(const char* format, ...) {
  char buffer[512];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

// Reads little-endian fields (all supported processors are little-endian) and remembers running over the end.
class Reader {
 public:
  Reader(const uint8_t* bytes, size_t size) : bytes_(bytes), size_(size) {}
  template <class T> T take() {
    T value{};
    if (!skipped(sizeof(T))) return value;
    std::memcpy(&value, bytes_ + at_ - sizeof(T), sizeof(T));
    return value;
  }
  std::string takeText(size_t length) {
    return skipped(length) ? std::string(reinterpret_cast<const char*>(bytes_ + at_ - length), length) : std::string();
  }
  // Skips to a multiple of 8 from the start.
  void align() { skipped((8 - at_ % 8) % 8); }
  size_t left() const { return size_ - at_; }
  size_t at() const { return at_; }
  bool ok() const { return ok_; }

 private:
  bool skipped(size_t n) {
    if (n > left()) {
      ok_ = false;
      at_ = size_;
      return false;
    }
    at_ += n;
    return true;
  }
  const uint8_t* bytes_;
  size_t size_, at_ = 0;
  bool ok_ = true;
};

class Parser {
 public:
  Parser(const uint8_t* bytes, size_t size, const OpTable& ops, Program& program)
      : reader_(bytes, size), ops_(ops), program_(program) {}

  bool parse() { return header() && dims() && inputs() && states() && outputs() && instructions(); }
  std::string error;

 private:
  bool fail(std::string what) {
    if (error.empty()) error = std::move(what);
    return false;
  }
  bool truncated(const char* where) {
    return fail(text("the program ends inside its %s, at byte %zu", where, reader_.at()));
  }
  // A table's records must fit in what is left of the buffer, so that no count can ask for more memory than that.
  bool fits(const char* what, uint64_t count, size_t least) {
    if (count * least <= reader_.left()) return true;
    return fail(text("the program names %llu %s, more than its %zu remaining bytes can hold", (unsigned long long)count,
                     what, reader_.left()));
  }

  bool header() {
    if (reader_.take<uint32_t>() != MAGIC || !reader_.ok()) return fail("the buffer does not begin with the mark of a program");
    const uint32_t version = reader_.take<uint32_t>();
    if (version != VERSION)
      return fail(text("the program has format %u, this native core reads %u: compile it again", version, VERSION));
    const uint64_t hash = reader_.take<uint64_t>();
    program_.arenaBytes = reader_.take<uint64_t>();
    nDims_ = reader_.take<uint32_t>();
    nInputs_ = reader_.take<uint32_t>();
    nStates_ = reader_.take<uint32_t>();
    nOutputs_ = reader_.take<uint32_t>();
    nInstructions_ = reader_.take<uint32_t>();
    instructionBytes_ = reader_.take<uint32_t>();
    reader_.take<uint64_t>();
    if (!reader_.ok()) return truncated("header");
    if (hash != ops_.hash)
      return fail(text("the program was compiled against another table of operators (%016llx, the native core has "
                       "%016llx): compile it again", (unsigned long long)hash, (unsigned long long)ops_.hash));
    if (program_.arenaBytes > uint64_t(LARGEST)) return fail("the arena is larger than any address space");
    return true;
  }

  bool dims() {
    if (!fits("bound dimensions", nDims_, 4)) return false;
    for (uint32_t i = 0; i < nDims_; i++) program_.dims.push_back(reader_.take<uint32_t>());
    reader_.align();
    return reader_.ok() || truncated("table of dimensions");
  }

  bool inputs() {
    if (!fits("inputs", nInputs_, OPERAND_HEAD)) return false;
    for (uint32_t i = 0; i < nInputs_; i++) {
      Operand operand;
      const std::string where = text("input %u", i);
      if (!operandFields(operand, where)) return false;
      if (operand.space != Space::input || operand.index != i || operand.byteOffset != 0)
        return fail(where + " is not described as itself");
      inputBytes_.push_back(extentBytes(operand.view));
      program_.inputs.push_back(operand);
    }
    return true;
  }

  bool states() {
    if (!fits("states", nStates_, STATE_HEAD)) return false;
    for (uint32_t i = 0; i < nStates_; i++) {
      StateSlot state;
      state.bytes = reader_.take<uint64_t>();
      state.id = reader_.takeText(reader_.take<uint32_t>());
      reader_.align();
      if (!reader_.ok()) return truncated("table of states");
      if (state.bytes > uint64_t(LARGEST)) return fail(text("state %u is larger than any address space", i));
      program_.states.push_back(std::move(state));
    }
    return true;
  }

  bool outputs() {
    if (!fits("outputs", nOutputs_, OPERAND_HEAD)) return false;
    for (uint32_t i = 0; i < nOutputs_; i++) {
      Operand operand;
      const std::string where = text("output %u", i);
      if (!operandFields(operand, where) || !withinMemory(operand, where)) return false;
      if (operand.space == Space::none) return fail(where + " lies nowhere");
      if (isBlockFormat(operand.view.dtype)) return fail(where + " is in a block format");
      program_.outputs.push_back(operand);
    }
    return true;
  }

  bool instructions() {
    if (instructionBytes_ != reader_.left())
      return fail(text("the program's instructions take %u bytes by its header, but %zu bytes follow", instructionBytes_,
                       reader_.left()));
    if (!fits("instructions", nInstructions_, INSTRUCTION_HEAD)) return false;
    program_.instructions.reserve(nInstructions_);
    for (uint32_t i = 0; i < nInstructions_; i++)
      if (!instruction(i)) return false;
    if (reader_.left() != 0) return fail(text("%zu bytes follow the last instruction", reader_.left()));
    return true;
  }

  bool instruction(uint32_t number) {
    Instruction it{};
    it.opcode = reader_.take<uint16_t>();
    it.commits = (reader_.take<uint16_t>() & COMMITS) != 0;
    const uint64_t nIn = reader_.take<uint32_t>(), nOut = reader_.take<uint32_t>(), nAttrs = reader_.take<uint32_t>();
    it.workspaceOffset = reader_.take<uint64_t>();
    it.workspaceBytes = reader_.take<uint64_t>();
    if (!reader_.ok()) return truncated("instructions");
    const char* name = it.opcode < ops_.kernels->count ? ops_.names[it.opcode] : nullptr;
    const std::string where = text("instruction %u (%s)", number, name != nullptr ? name : "?");
    if (name == nullptr) return fail(text("instruction %u has the unknown opcode %u", number, it.opcode));
    if (ops_.kernels->kernels[it.opcode] == nullptr)
      return fail(where + text(": there is no kernel for it on %s", ops_.kernels->isa));
    if (it.workspaceOffset > program_.arenaBytes || it.workspaceBytes > program_.arenaBytes - it.workspaceOffset)
      return fail(where + ": its workspace leaves the arena");
    if (it.workspaceOffset % 64 != 0) return fail(where + ": its workspace is not aligned to 64 bytes");
    if (nAttrs * 8 + (nIn + nOut) * OPERAND_HEAD > reader_.left()) return truncated("instructions");
    it.nIn = int32_t(nIn), it.nOut = int32_t(nOut), it.nAttrs = int32_t(nAttrs);  // the buffer is smaller than 2³¹ operands
    it.firstAttr = program_.attrs.size();
    for (int i = 0; i < it.nAttrs; i++) program_.attrs.push_back(reader_.take<double>());
    it.firstOperand = program_.operands.size();
    for (int i = 0; i < it.nIn + it.nOut; i++) {
      Operand operand;
      const bool out = i >= it.nIn;
      const std::string name = where + text(", %s %d", out ? "output" : "input", out ? i - it.nIn : i);
      if (!operandFields(operand, name) || !withinMemory(operand, name)) return false;
      if (out && operand.space == Space::none) return fail(name + " lies nowhere");
      if (out && operand.space == Space::input) return fail(name + " would write to an input of the program");
      program_.operands.push_back(operand);
    }
    program_.instructions.push_back(it);
    return true;
  }

  bool operandFields(Operand& operand, const std::string& where) {
    const uint8_t space = reader_.take<uint8_t>();
    const uint8_t dtype = reader_.take<uint8_t>();
    const uint8_t rank = reader_.take<uint8_t>();
    reader_.take<uint8_t>();
    operand = Operand{};
    operand.index = reader_.take<uint32_t>();
    operand.byteOffset = reader_.take<uint64_t>();
    operand.view.stride0 = reader_.take<int64_t>();
    if (!reader_.ok()) return truncated("operands");
    if (space > uint8_t(Space::state)) return fail(where + text(" lies in the unknown space %u", space));
    if (dtype > uint8_t(LAST_DTYPE)) return fail(where + text(" has the unknown dtype %u", dtype));
    if (rank > MAX_RANK) return fail(where + text(" has rank %u, at most %d is possible", rank, MAX_RANK));
    if (operand.view.stride0 < 0 || operand.view.stride0 > LARGEST)
      return fail(where + text(" has the impossible row stride %lld", (long long)operand.view.stride0));
    operand.space = Space(space);
    operand.view.dtype = DType(dtype);
    operand.view.rank = rank;
    return dimensions(operand, where);
  }

  bool dimensions(Operand& operand, const std::string& where) {
    __int128 elements = 1;
    for (int i = 0; i < operand.view.rank; i++) {
      const int64_t dim = reader_.take<int64_t>();
      if (!reader_.ok()) return truncated("operands");
      if (dim < 0 && uint64_t(-(dim + 1)) >= program_.dims.size())
        return fail(where + text(" has dimension %lld on axis %d, and the program has %zu bound dimensions",
                                 (long long)dim, i, program_.dims.size()));
      operand.dims[i] = dim;
      const int64_t most = dim < 0 ? int64_t(program_.dims[size_t(-(dim + 1))]) : dim;
      operand.view.shape[i] = most;
      elements *= most > 1 ? most : 1;
      if (elements > LARGEST) return fail(where + " has more elements than any address space");
    }
    const __int128 rows = operand.view.rows();
    if (rows * operand.view.stride0 > LARGEST) return fail(where + " reaches beyond any address space");
    if (isBlockFormat(operand.view.dtype)) return wholeBlocks(operand, where);
    return true;
  }

  // Weights in a block format are whole states: kernels rely on rows of whole blocks, one after the other.
  bool wholeBlocks(const Operand& operand, const std::string& where) {
    const View& view = operand.view;
    if (operand.space == Space::state && operand.byteOffset == 0 && view.rank == 2 && operand.dims[0] >= 0 &&
        operand.dims[1] >= 0 && view.shape[1] % blockSize(view.dtype).values == 0 && view.stride0 == view.shape[1])
      return true;
    return fail(where + " is in a block format, and is no state of whole blocks");
  }

  bool withinMemory(Operand& operand, const std::string& where) {
    uint64_t bytes = 0;
    if (operand.space == Space::none) return true;
    if (operand.space == Space::arena) {
      bytes = program_.arenaBytes;
    } else if (operand.space == Space::input) {
      if (operand.index >= nInputs_) return fail(where + text(" is input %u of %u", operand.index, nInputs_));
      bytes = inputBytes_[operand.index];
    } else {
      if (operand.index >= nStates_) return fail(where + text(" is state %u of %u", operand.index, nStates_));
      bytes = program_.states[operand.index].bytes;
    }
    if (operand.byteOffset % elementBytes(operand.view.dtype) != 0)
      return fail(where + text(" is not aligned to its elements (byte %llu)", (unsigned long long)operand.byteOffset));
    const uint64_t extent = extentBytes(operand.view);
    if (extent == 0) {  // nothing is there to be touched: a part of an empty tensor may be said to lie anywhere
      operand.byteOffset = 0;
      return true;
    }
    if (operand.byteOffset > bytes || extent > bytes - operand.byteOffset)
      return fail(where + text(" needs %llu bytes from byte %llu on, its memory has %llu", (unsigned long long)extent,
                               (unsigned long long)operand.byteOffset, (unsigned long long)bytes));
    return true;
  }

  Reader reader_;
  const OpTable& ops_;
  Program& program_;
  uint32_t nDims_ = 0, nInputs_ = 0, nStates_ = 0, nOutputs_ = 0, nInstructions_ = 0, instructionBytes_ = 0;
  std::vector<uint64_t> inputBytes_;
};

}  // namespace

size_t elementBytes(DType dtype) { return size_t(blockSize(dtype).bytes); }

uint64_t extentBytes(const View& view) {
  const int64_t rows = view.rows(), cols = view.cols();
  if (rows == 0 || cols == 0) return 0;
  return uint64_t(((rows - 1) * view.stride0 + cols) / blockSize(view.dtype).values) * elementBytes(view.dtype);
}

void resolveShape(const Operand& operand, const int64_t* dims, View& view) {
  for (int i = 0; i < view.rank; i++) view.shape[i] = operand.dims[i] >= 0 ? operand.dims[i] : dims[-(operand.dims[i] + 1)];
}

bool parseProgram(const uint8_t* bytes, size_t size, const OpTable& ops, Program& program, std::string& error) {
  program = Program{};
  Parser parser(bytes, size, ops, program);
  if (parser.parse()) return true;
  error = std::move(parser.error);
  return false;
}

}  // namespace athanor
