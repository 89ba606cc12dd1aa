package pocketiqa.android

import org.pytorch.executorch.EValue
import org.pytorch.executorch.Module
import org.pytorch.executorch.Tensor
import pocketiqa.core.PocketIqaException
import pocketiqa.core.Program
import java.io.File

/** A `.pte` file in ExecuTorch's own runtime (`org.pytorch:executorch-android`). */
class ExecutorchProgram(file: File) : Program {
    private val module: Module = try {
        Module.load(file.path)
    } catch (error: RuntimeException) {
        throw PocketIqaException("ExecuTorch cannot load ${file.name}: ${error.message}", error)
    }

    override fun run(input: FloatArray, shape: LongArray): List<FloatArray> = try {
        module.forward(EValue.from(Tensor.fromBlob(input, shape))).map { it.toTensor().dataAsFloatArray }
    } catch (error: RuntimeException) {
        throw PocketIqaException("ExecuTorch failed: ${error.message}", error)
    }

    override fun close() = module.destroy()
}
