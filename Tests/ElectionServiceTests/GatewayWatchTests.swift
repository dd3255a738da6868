import Addressing
import Testing

@testable import ElectionService

@Suite("Whether a gateway answers")
struct GatewayWatchTests {
    @Test("A gateway that was never asked is unknown; its first answer makes it reachable, later ones are no news")
    func answers() {
        var watch = GatewayWatch(now: 100)
        #expect(watch.isReachable == nil)
        #expect(watch.nextRequest == 100)
        let isNews = watch.requested(now: 100)
        #expect(!isNews)
        let isReachable = watch.answered()
        #expect(isReachable)
        let isNewsAgain = watch.answered()
        #expect(!isNewsAgain)
        #expect(watch.isReachable == true)
    }

    @Test("Missing answers in a row make it unreachable, once, and requests follow each other faster meanwhile")
    func misses() {
        var watch = GatewayWatch(now: 0)
        var changes: [Int] = []
        var times: [Int] = []
        for _ in 0..<10 {
            let now = watch.nextRequest
            times.append(now)
            if watch.requested(now: now) { changes.append(now) }
        }
        #expect(watch.isReachable == false)
        #expect(changes.count == 1)
        #expect(changes.first == times[GatewayWatch.missesUntilUnreachable])
        #expect(times[5] - times[4] == GatewayWatch.retryMilliseconds)
    }

    @Test("One missing answer changes nothing, and the next answer clears it")
    func oneMiss() {
        var watch = GatewayWatch(now: 0)
        _ = watch.requested(now: 0)
        _ = watch.answered()
        for _ in 0..<20 {
            _ = watch.requested(now: watch.nextRequest)
            _ = watch.requested(now: watch.nextRequest)
            let isNews = watch.answered()
            #expect(!isNews)
        }
        #expect(watch.isReachable == true)
    }
}

@Suite("An ARP probe")
struct ARPProbeTests {
    @Test("It asks for the gateway, claims no address, and a reply to it is understood")
    func replies() throws {
        let gateway = IPv4Address(203, 0, 113, 1)
        let mac = MACAddress(rawValue: 0x02_AA_BB_CC_DD_EE)
        let request = ARPProbe.request(for: gateway, from: mac)
        #expect(request.count == 42)
        #expect(Array(request[28..<32]) == [0, 0, 0, 0])
        #expect(Array(request[38..<42]) == [203, 0, 113, 1])
        #expect(ARPProbe.claim(ofReply: request) == nil)

        var reply = request
        reply[ARPProbe.operationOffset] = ARPProbe.reply
        reply.replaceSubrange(28..<32, with: gateway.octets)
        #expect(ARPProbe.claim(ofReply: reply)?.address == gateway)
        #expect(ARPProbe.claim(ofReply: reply + [UInt8](repeating: 0, count: 18))?.address == gateway)
        for length in 0..<32 { #expect(ARPProbe.claim(ofReply: reply.prefix(length)) == nil) }
    }
}
