import APISchema
import Addressing
import Testing

@testable import Lab

struct ValuesTests {
    @Test("An echo message is read as it was written, behind an IPv4 header of any length")
    func echoMessages() throws {
        let message = EchoMessage(type: EchoMessage.reply, identifier: 0xBEEF, sequence: 0x0102_0304)
        for words in UInt8(5)...15 {
            let packet = [0x40 | words] + [UInt8](repeating: 0, count: Int(words) * 4 - 1) + message.bytes
            #expect(EchoMessage(packet: packet[...]) == message)
        }
        // The sum over a message with its checksum is all ones (RFC 1071).
        #expect(InternetChecksum.of(message.bytes) == 0)
    }

    @Test("What is no echo message is none, however short it is")
    func notEchoMessages() {
        let message = EchoMessage(type: 3, identifier: 1, sequence: 1)
        let packet = [0x45] + [UInt8](repeating: 0, count: 19) + message.bytes
        for count in 0...packet.count { #expect(EchoMessage(packet: packet[..<count]) == nil) }
    }

    @Test("The state of a lab is read as it was written")
    func state() throws {
        var state = LabState(name: "x", executable: "/bin/neutrino")
        state.apiPort = 9696
        state.hasServices = false
        state.hosts = ["h1", "h2"]
        state.places = ["h1": 12, "h2": 13, "fabric": 14, "outside": 15]
        state.instances["vm"] = Instance.Record(host: "h1", portID: "p", mac: "fa:16:3e:00:00:01", address: "10.0.0.3", processID: 16)
        #expect(LabState(json: try JSONParser.parse(state.json.text)) == state)
        #expect(LabState(json: ["name": "x"]) == nil)
    }

    @Test(
        "The API's collections are named in the singular in bodies",
        arguments: [
            ("networks", "network"), ("security-group-rules", "security_group_rule"), ("policies", "policy"), ("floatingips", "floatingip"),
        ])
    func singular(collection: String, name: String) { #expect(APIClient.singular(collection) == name) }

    @Test("The longest gap is reported in tenths of a millisecond")
    func report() {
        var report = ProbeReport()
        report.sent = 100
        report.received = 70
        report.longestGapMilliseconds = 312.3456
        #expect(report.json.text == #"{"longest_gap_ms":312.3,"lost":30,"sent":100}"#)
        #expect(milliseconds(312.3456) == "312.3 ms")
    }

    @Test("A percentile is the smallest sample that so many of a hundred do not exceed")
    func percentiles() {
        let samples = (1...200).reversed().map(Double.init)
        #expect(samples.percentile(50) == 100)
        #expect(samples.percentile(99) == 198)
        #expect(samples.percentile(100) == 200)
        #expect([7.0].percentile(99) == 7)
        #expect([Double]().percentile(50) == 0)
    }

    @Test("A measurement is met when each of its targets is, and one without targets always")
    func targets() {
        let samples = [10.0, 20, 300]
        let targets: [Measurement.Target] = [.init(.atMost(25), .median), .init(.atMost(250), .worst)]
        let measurement = Measurement(.uplink, "x", unit: "ms", targets, samples)
        #expect(!measurement.isMet)
        #expect(measurement.json["targets"]?.arrayValue?.map { $0["met"] } == [true, false])
        #expect(Measurement(.uplink, "x", unit: "ms", [targets[0]], samples).isMet)
        #expect(Measurement(.uplink, "x", unit: "ms", [], samples).isMet)
        #expect(!Measurement(.uplink, "x", unit: "connections", .atLeast(4), .worst, [4, 3]).isMet)
    }
}
