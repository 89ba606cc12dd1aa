package pocketiqa

import org.json.JSONArray
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import pocketiqa.core.Bundle
import pocketiqa.core.Gate
import pocketiqa.core.PocketIqaException
import pocketiqa.core.Quality

class GateTest {
    /** The cases that every language's gate decides alike, with the same words. */
    @Test
    fun `a gate decides and gives reasons as Python's does`() {
        val groups = JSONArray(exchange().resolve("gate_cases.json").readText())
        for (group in List(groups.length(), groups::getJSONObject)) {
            val gate = Gate.parse(group.getJSONObject("gate").toString())
            val cases = group.getJSONArray("cases")
            for (case in List(cases.length(), cases::getJSONObject)) {
                val values = case.getJSONObject("values")
                val decision = gate.decide(values.keys().asSequence().associateWith { values.getDouble(it).toFloat() })
                val reasons = case.getJSONArray("reasons")
                assertEquals(group.getString("what"), List(reasons.length(), reasons::getString), decision.reasons)
                assertEquals(case.getBoolean("accepted"), decision.accepted)
            }
        }
    }

    @Test
    fun `a bundle's gate is read, and one that it lacks or that asks for too much is an error in words`() {
        fun message(run: () -> Any) = assertThrows(PocketIqaException::class.java) { run() }.message!!
        val gate = Gate.of(Bundle(exchange().resolve("bundles/shipped")))
        assertTrue("this bundle gives score" in message { gate.decide(Quality(0.5f, emptyMap(), null)) })
        assertTrue("no gate" in message { Gate.of(Bundle(exchange().resolve("bundles/tiny"))) })
        assertTrue("cannot be read" in message { Gate.parse("{}") })
    }
}
