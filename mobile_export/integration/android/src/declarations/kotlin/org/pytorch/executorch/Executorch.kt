// The part of org.pytorch:executorch-android's interface that ExecutorchProgram calls, for a machine on which the AAR
// cannot be had. Apps take the AAR; these declarations are compiled for the tests alone and run nothing.
package org.pytorch.executorch

class Module private constructor() {
    fun forward(vararg inputs: EValue): Array<EValue> = throw UnsupportedOperationException()

    fun destroy() = Unit

    companion object {
        @JvmStatic
        fun load(modelPath: String): Module = throw UnsupportedOperationException(modelPath)
    }
}

class EValue private constructor(private val tensor: Tensor) {
    fun toTensor(): Tensor = tensor

    companion object {
        @JvmStatic
        fun from(tensor: Tensor): EValue = EValue(tensor)
    }
}

class Tensor private constructor(val dataAsFloatArray: FloatArray) {
    companion object {
        @JvmStatic
        fun fromBlob(data: FloatArray, shape: LongArray): Tensor = Tensor(data.copyOf(shape.reduce(Long::times).toInt()))
    }
}
