import CLinux
import KernelInterface

/// Which tables the latest transactions of a ruleset named, by what the kernel told a socket of the group NFNLGRP_NFTABLES.
///
///     NEWTABLE NEWCHAIN NEWRULE NEWSETELEM … NEWGEN   DELTABLE NEWGEN
///     └──────────────── generation 17 ────────────┘   └──── 18 ─────┘
///
/// All messages of a transaction come in a row, the generation last: the kernel sends them before it lets the next transaction in
/// (nf_tables_commit in net/netfilter/nf_tables_api.c). Every one names its table in the attribute 1.
///
/// A socket whose buffer is full loses everything until it has been read empty (NETLINK_S_CONGESTED), and says so before it gives what it has. What is
/// read then says nothing of what was lost, and the next transaction may have begun in it:
///
///               noteLoss()             noteEmpty()          NEWGEN
///     whole ──────────────► discarding ───────────► torn ─────────► whole, from the next transaction on
struct RulesetLog {
    /// Transactions that are remembered. Who asks later has to look for itself.
    static let limit = 256

    private enum State { case whole, torn, discarding }

    private var state: State
    /// The tables of each, of generations in a row up to ``latest``.
    private var transactions: [Set<String>] = []
    /// The generation that was heard of last.
    private(set) var latest: UInt32?
    /// Of the transaction under way.
    private var tables: Set<String> = []

    /// - Parameter isWhole: whether nobody asks for a transaction that may have begun before the socket was opened.
    init(isWhole: Bool) { state = isWhole ? .whole : .torn }

    mutating func note(_ datagram: ArraySlice<UInt8>) {
        if state == .discarding { return }
        for reply in NetlinkReply.split(datagram) where reply.type >> 8 == Int(NFNL_SUBSYS_NFTABLES) {
            if reply.type & 0xFF == Int(NFT_MSG_NEWGEN.rawValue) {
                finish(FirewallMessages.parseGeneration(reply))
            } else if let table = FirewallMessages.parseTable(reply) {
                tables.insert(table)
            } else {
                state = .torn
            }
        }
    }

    mutating func noteLoss() { state = .discarding }

    /// There is nothing more to read for now.
    mutating func noteEmpty() {
        guard state == .discarding else { return }
        (state, transactions, tables) = (.torn, [], [])
    }

    private mutating func finish(_ generation: UInt32?) {
        let isNext = latest.map { generation == $0 &+ 1 } ?? true
        if state == .whole, isNext, generation != nil {
            if transactions.count == Self.limit { transactions.removeFirst() }
            transactions.append(tables)
        } else {
            transactions = []
        }
        (state, latest, tables) = (.whole, generation, [])
    }

    /// Whether the generation has still to be heard of.
    func isBefore(_ generation: UInt32) -> Bool { latest.map { Int32(bitPattern: generation &- $0) > 0 } ?? true }

    /// See ``RulesetHistory/tables(in:after:through:)``.
    func tables(after first: UInt32, through last: UInt32) -> [Set<String>]? {
        guard let latest else { return nil }
        // From the end: what is newer than `last`, and what there is of it and before.
        let newer = Int(Int32(bitPattern: latest &- last))
        let count = Int(Int32(bitPattern: last &- first))
        guard newer >= 0, count >= 0, newer + count <= transactions.count else { return nil }
        return Array(transactions.dropLast(newer).suffix(count))
    }
}
