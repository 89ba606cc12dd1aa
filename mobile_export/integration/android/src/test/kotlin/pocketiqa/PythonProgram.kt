package pocketiqa

import pocketiqa.core.Program
import java.io.DataInputStream
import java.io.File
import java.net.Socket
import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * ExecuTorch's own runtime, as Python has it: its AAR runs on Android alone. tests/mobile_export/program_server.py says
 * what goes over the socket.
 */
class PythonProgram(file: File) : Program {
    private val socket = Socket("127.0.0.1", exchange().resolve("port").readText().toInt())
    private val answers = DataInputStream(socket.getInputStream().buffered())

    init {
        socket.getOutputStream().write("${file.path}\n".toByteArray())
    }

    override fun run(input: FloatArray, shape: LongArray): List<FloatArray> {
        socket.getOutputStream().write(input.bytes())
        return List(number()) { FloatArray(number()) { Float.fromBits(number()) } }
    }

    override fun close() = socket.close()

    private fun number(): Int {
        val bytes = ByteArray(4).also(answers::readFully)
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).int
    }
}
