#include "arguments.h"

namespace athanor::binding {

Arguments::Arguments(napi_env env, napi_callback_info info) : env_(env) {
  if (napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) != napi_ok) count_ = 0;
  if (count_ > MOST) count_ = MOST;
}

napi_valuetype Arguments::type(napi_value value) const {
  napi_valuetype type = napi_undefined;
  if (value != nullptr) napi_typeof(env_, value, &type);
  return type;
}

napi_value Arguments::fail(const char* what, const char* should) {
  if (ok_) throwError(env_, ARGUMENT, std::string("The native core was called with a wrong argument: ") + what + " must be " + should + ".");
  ok_ = false;
  return nullptr;
}

double Arguments::number(const char* what) {
  double value = 0;
  if (ok_ && napi_get_value_double(env_, take(), &value) != napi_ok) fail(what, "a number");
  return ok_ ? value : 0;
}

int64_t Arguments::integer(const char* what) {
  const double value = number(what);
  constexpr double LARGEST = 9007199254740992.0;  // 2^53: beyond it a double skips integers
  if (!(value >= 0 && value <= LARGEST && value == double(int64_t(value)))) fail(what, "an integer from 0 on");
  return ok_ ? int64_t(value) : 0;
}

std::string Arguments::text(const char* what) {
  const napi_value value = take();
  size_t length = 0;
  if (!ok_) return {};
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &length) != napi_ok) {
    fail(what, "a string");
    return {};
  }
  std::string text(length, '\0');
  napi_get_value_string_utf8(env_, value, text.data(), length + 1, &length);
  return text;
}

bool Arguments::boolean(const char* what) {
  bool value = false;
  if (ok_ && napi_get_value_bool(env_, take(), &value) != napi_ok) fail(what, "a boolean");
  return ok_ && value;
}

Bytes Arguments::bytes(const char* what) {
  Bytes bytes{nullptr, 0};
  if (ok_ && !bytesOf(env_, take(), bytes)) fail(what, "a typed array");
  return bytes;
}

napi_value Arguments::array(const char* what, uint32_t& length) {
  const napi_value value = take();
  length = 0;
  if (ok_ && napi_get_array_length(env_, value, &length) != napi_ok) fail(what, "an array");
  return ok_ ? value : nullptr;
}

bool bytesOf(napi_env env, napi_value value, Bytes& bytes) {
  bool isTyped = false;
  if (value == nullptr || napi_is_typedarray(env, value, &isTyped) != napi_ok || !isTyped) return false;
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) return false;
  static constexpr size_t ELEMENT_BYTES[] = {1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8};  // in the order of napi_typedarray_type
  if (size_t(type) >= sizeof ELEMENT_BYTES / sizeof ELEMENT_BYTES[0]) return false;
  bytes = {static_cast<const uint8_t*>(data), data == nullptr ? 0 : length * ELEMENT_BYTES[type]};
  return true;
}

napi_value makeError(napi_env env, const char* code, const std::string& message) {
  napi_value error = nullptr;
  napi_create_error(env, makeText(env, code), makeText(env, message), &error);
  return error;
}

napi_value throwError(napi_env env, const char* code, const std::string& message) {
  napi_throw_error(env, code, message.c_str());
  return nullptr;
}

napi_value makeNumber(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value makeText(napi_env env, const std::string& value) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, value.data(), value.size(), &result);
  return result;
}

void setField(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

napi_value makeFloat64Array(napi_env env, size_t length, double** data) {
  napi_value buffer = nullptr, array = nullptr;
  void* memory = nullptr;
  if (napi_create_arraybuffer(env, length * sizeof(double), &memory, &buffer) != napi_ok) return nullptr;
  *data = static_cast<double*>(memory);
  napi_create_typedarray(env, napi_float64_array, length, buffer, 0, &array);
  return array;
}

}  // namespace athanor::binding
