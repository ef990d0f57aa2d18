// Models in forms of other tools that are more than a file of weights. Layer: export.
export { saveOnnx, type SaveOnnxOptions } from './onnx/onnx-file.ts';
export { onnxModel, type OnnxModel, type OnnxOptions, type OnnxWeight, type OnnxWeightType } from './onnx/onnx-model.ts';
export { OPSET } from './onnx/onnx-graph.ts';
