import KernelInterface
import Testing

@testable import Drivers

@Suite("Tables that are there are filled anew")
struct RefillTests {
    /// A table with a base chain, a chain, a map, a set of intervals and a counter.
    private func table(ranges: Int = 1) -> FirewallTable {
        var table = FirewallTable(family: .bridge, name: "neutrino")
        table.objects["seen"] = .init(kind: "counter", lines: [])
        table.sets["ports"] = .init(form: .map, type: "type ifname : verdict", elements: ["\"tap1\" : goto port"])
        let ranges = (0..<ranges).map { "\"tap1\" . 10.\($0 / 256).\($0 % 256).0/24" }
        table.sets["ranges"] = .init(type: "type ifname . ipv4_addr", flags: ["interval"], elements: Set(ranges))
        table.chains["forward"] = .init(hook: "type filter hook forward priority filter; policy drop;", rules: ["iifname vmap @ports"])
        table.chains["port"] = .init(rules: ["counter name \"seen\" accept"])
        return table
    }

    private func plan(_ wanted: FirewallTable, holding contents: FirewallContents?) -> FirewallPlan.Step? {
        FirewallPlan.step(
            to: [wanted], from: nil, tables: [wanted.identity], contents: contents.map { [wanted.identity: $0] } ?? [:], generation: 7)
    }

    @Test("What is known by name is emptied, what is not wanted goes, and the table itself stays; a refusal replaces it")
    func refill() throws {
        var contents = FirewallContents(of: table())
        contents.chains["old"] = false
        contents.sets["former"] = .set
        contents.objects["lost"] = "counter"
        let step = try #require(plan(table(), holding: contents))
        #expect(
            step.script.hasPrefix(
                """
                flush table bridge neutrino
                flush set bridge neutrino former
                flush map bridge neutrino ports
                flush set bridge neutrino ranges
                delete chain bridge neutrino old
                delete set bridge neutrino former
                delete counter bridge neutrino lost
                table bridge neutrino {

                """))
        #expect(step.fallback == FirewallScript.replacement(of: [table()]))
    }

    @Test("Many intervals are put into a set that is made anew")
    func manyIntervals() throws {
        let many = table(ranges: FirewallScript.maximumRefilledIntervals + 1)
        let script = try #require(plan(many, holding: FirewallContents(of: many))).script
        #expect(script.contains("delete set bridge neutrino ranges\n") && !script.contains("flush set bridge neutrino ranges\n"))
    }

    @Test("A table of which too little is known, or that could keep what nobody wants, is replaced as a whole")
    func replacement() throws {
        let whole = FirewallPlan.Step(script: FirewallScript.replacement(of: [table()]))
        #expect(plan(table(), holding: nil) == whole)
        let changes: [(inout FirewallContents) -> Void] = [
            { $0.chains["forward"] = false }, { $0.chains["port"] = true }, { $0.objects["seen"] = "ct helper" },
            { $0.objects["quota"] = FirewallContents.otherKind },
        ]
        for change in changes {
            var contents = FirewallContents(of: table())
            change(&contents)
            #expect(plan(table(), holding: contents) == whole)
        }
        var netdev = table()
        netdev.family = .netdev
        #expect(plan(netdev, holding: FirewallContents(of: netdev)) == .init(script: FirewallScript.replacement(of: [netdev])))
    }
}
