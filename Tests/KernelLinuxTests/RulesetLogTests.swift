import CLinux
import Testing

@testable import KernelLinux

@Suite struct RulesetLogTests {
    private func message(_ type: nf_tables_msg_types, family: UInt8 = 0, _ value: [UInt8]) -> [UInt8] {
        var message = NetlinkMessage(type: Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(type.rawValue), flags: 0)
        message.append(bytes: [family, 0, 0, 0])
        message.attribute(1, value)
        return message.finished(sequence: 0)
    }

    private func rule(_ table: String, family: UInt8 = 2) -> [UInt8] { message(NFT_MSG_NEWRULE, family: family, Array(table.utf8) + [0]) }

    private func generation(_ number: UInt32) -> [UInt8] {
        message(NFT_MSG_NEWGEN, withUnsafeBytes(of: number.bigEndian) { Array($0) })
    }

    private func log(isWhole: Bool = true, _ datagrams: [UInt8]...) -> RulesetLog {
        var log = RulesetLog(isWhole: isWhole)
        for datagram in datagrams { log.note(datagram[...]) }
        return log
    }

    @Test("Each transaction has the tables that its messages named, wherever datagrams begin")
    func transactions() {
        let log = log(
            rule("nat") + rule("filter", family: 1), rule("nat") + generation(7) + rule("neutrino", family: 7),
            generation(8) + generation(9))
        #expect(log.tables(after: 6, through: 9) == [["ip nat", "inet filter"], ["bridge neutrino"], []])
        #expect(log.tables(after: 7, through: 8) == [["bridge neutrino"]])
        #expect(log.tables(after: 9, through: 9) == [])
        #expect(log.tables(after: 5, through: 9) == nil, "before the first that was heard")
        #expect(log.tables(after: 8, through: 10) == nil && log.isBefore(10) && !log.isBefore(9))
    }

    @Test("Where a transaction may be torn, nothing is known of it nor of those before")
    func torn() {
        var log = log(isWhole: false, rule("nat") + generation(7), rule("nat") + generation(8))
        #expect(log.tables(after: 6, through: 8) == nil)
        #expect(log.tables(after: 7, through: 8) == [["ip nat"]])
        log.noteLoss()
        // From before the loss.
        log.note((rule("nat") + generation(9) + rule("nat"))[...])
        log.noteEmpty()
        // The rest of one that began in the loss.
        log.note((rule("other") + generation(12) + rule("other") + generation(13))[...])
        #expect(log.tables(after: 8, through: 13) == nil && log.tables(after: 11, through: 13) == nil)
        #expect(log.tables(after: 12, through: 13) == [["ip other"]])
        log.note((rule("other") + generation(15))[...])
        #expect(log.tables(after: 14, through: 15) == nil, "a generation is missing")
        #expect(RulesetLog(isWhole: true).tables(after: 1, through: 1) == nil)
    }

    @Test("It remembers the latest transactions, also where the numbers wrap around")
    func limits() {
        var log = RulesetLog(isWhole: true)
        let first = UInt32.max - 10
        for number in 0..<UInt32(RulesetLog.limit + 5) { log.note(generation(first &+ number)[...]) }
        let last = first &+ UInt32(RulesetLog.limit + 4)
        #expect(log.tables(after: last &- UInt32(RulesetLog.limit), through: last)?.count == RulesetLog.limit)
        #expect(log.tables(after: last &- UInt32(RulesetLog.limit + 1), through: last) == nil)
    }
}
