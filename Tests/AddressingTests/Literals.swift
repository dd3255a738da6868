import Addressing
import Testing

// Values that a test takes for granted, from texts: a text that does not parse fails the test.

func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

func range(_ first: String, _ last: String) throws -> IPRange {
    let (first, last) = (try address(first), try address(last))
    return try #require(IPRange(first, last))
}
