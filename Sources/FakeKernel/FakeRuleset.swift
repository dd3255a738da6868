import Glibc
import KernelInterface

/// The nftables ruleset of one namespace: understands the scripts that this project writes, as structure, and runs each as one transaction.
///
/// Understood are `add table`, `delete table`, `flush table`, `flush ruleset`, `add element`, `delete element`, `flush chain`, `delete chain`,
/// `flush set`, `delete set`, `flush map`, `delete map`, `delete counter`, `delete ct helper`, and `table F N { … }` blocks of sets, maps, objects and
/// chains; and, on a line each, `add counter`, `add set`, `add chain`, `add rule` and elements with times, which never pass. Rules are kept as text; of verdicts in maps and rules it is checked that their chains exist. What exists is not declared otherwise.
struct FakeRuleset: Hashable {
    /// By "family name".
    private(set) var tables: [String: FirewallTable] = [:]
    private(set) var generation: UInt32 = 1
    /// The tables that each transaction named.
    private var history: [Set<String>] = []

    mutating func run(_ script: String) throws(KernelError) {
        var reader = ScriptReader(script)
        var next = tables
        var named: Set<String> = []
        while let command = try reader.command() {
            named.formUnion(command.table.map { [$0] } ?? Set(next.keys))
            try Self.apply(command, to: &next)
        }
        for table in next.values { try Self.checkVerdicts(table) }
        tables = next
        generation &+= 1
        history.append(named)
    }

    /// Of the transactions that led from one generation to another, the tables that each named.
    func tables(after first: UInt32, through last: UInt32) -> [Set<String>]? {
        guard first >= 1, first <= last, last <= generation else { return nil }
        return Array(history[Int(first) - 1..<Int(last) - 1])
    }

    private static func apply(_ command: ScriptReader.Command, to tables: inout [String: FirewallTable]) throws(KernelError) {
        switch command {
        case .flush:
            tables = [:]
        case .addTable(let identity):
            if tables[identity] == nil { tables[identity] = try empty(identity) }
        case .deleteTable(let identity):
            guard tables.removeValue(forKey: identity) != nil else { throw missing("table \(identity)") }
        case .define(let table):
            let identity = "\(table.family.rawValue) \(table.name)"
            let old = tables[identity]
            var merged = if let old { old } else { try empty(identity) }
            for (name, set) in table.sets {
                guard let old = merged.sets[name] else { continue }
                guard old.form == set.form, old.type == set.type, old.flags == set.flags else { throw exists("set \(name)") }
            }
            for (name, chain) in table.chains {
                guard let old = merged.chains[name], let hook = chain.hook else { continue }
                guard old.hook == hook else { throw exists("chain \(name)") }
            }
            merged.sets.merge(table.sets) { old, new in
                var both = new
                both.elements.formUnion(old.elements)
                return both
            }
            // One that exists stays as it is, without a word.
            merged.objects.merge(table.objects) { old, _ in old }
            merged.chains.merge(table.chains) { FirewallTable.Chain(hook: $1.hook ?? $0.hook, rules: $0.rules + $1.rules) }
            tables[identity] = merged
        case .flushTable(let identity):
            guard let table = tables[identity] else { throw missing("table \(identity)") }
            tables[identity]?.chains = table.chains.mapValues { FirewallTable.Chain(hook: $0.hook, rules: []) }
        case .flushSet(let identity, let set):
            guard tables[identity]?.sets[set] != nil else { throw missing("set \(set) of table \(identity)") }
            tables[identity]?.sets[set]?.elements = []
        case .deleteObject(let identity, let object):
            guard tables[identity]?.objects.removeValue(forKey: object) != nil else {
                throw missing("object \(object) of table \(identity)")
            }
        case .flushChain(let identity, let chain):
            guard tables[identity]?.chains[chain] != nil else { throw missing("chain \(chain) of table \(identity)") }
            tables[identity]?.chains[chain]?.rules = []
        case .deleteChain(let identity, let chain):
            guard tables[identity]?.chains.removeValue(forKey: chain) != nil else { throw missing("chain \(chain) of table \(identity)") }
        case .deleteSet(let identity, let set):
            guard tables[identity]?.sets.removeValue(forKey: set) != nil else { throw missing("set \(set) of table \(identity)") }
        case .addElements(let identity, let set, let elements):
            guard let form = tables[identity]?.sets[set]?.form else { throw missing("set \(set) of table \(identity)") }
            for element in elements {
                let existing = tables[identity]?.sets[set]?.elements.first { key($0, form) == key(element, form) }
                if let existing, existing != element, form == .map {
                    throw KernelError(code: EEXIST, "nft: \(element) conflicts with \(existing)")
                }
                // One that is there keeps its time.
                guard existing == nil else { continue }
                tables[identity]?.sets[set]?.elements.insert(element)
            }
        case .deleteElements(let identity, let set, let keys):
            guard let found = tables[identity]?.sets[set] else { throw missing("set \(set) of table \(identity)") }
            for wanted in keys {
                guard let element = found.elements.first(where: { key($0, found.form) == wanted }) else {
                    throw missing("element \(wanted)")
                }
                tables[identity]?.sets[set]?.elements.remove(element)
            }
        }
    }

    private static func empty(_ identity: String) throws(KernelError) -> FirewallTable {
        let parts = identity.split(separator: " ")
        guard parts.count == 2, let family = FirewallTable.Family(rawValue: String(parts[0])) else {
            throw KernelError(code: 0, "nft: \(identity) is no table")
        }
        return FirewallTable(family: family, name: String(parts[1]))
    }

    private static func key(_ element: String, _ form: FirewallTable.ElementSet.Form) -> String {
        guard form == .map else { return words(of: element, before: "timeout") }
        let words = element.split(separator: " ")
        guard let separator = words.firstIndex(of: ":") else { return element }
        return words[..<separator].joined(separator: " ")
    }

    private static func words(of element: String, before word: Substring) -> String {
        element.split(separator: " ").prefix { $0 != word }.joined(separator: " ")
    }

    private static func checkVerdicts(_ table: FirewallTable) throws(KernelError) {
        for set in table.sets.values where set.form == .map {
            for element in set.elements {
                let words = element.split(separator: " ")
                guard let jump = words.firstIndex(where: { $0 == "jump" || $0 == "goto" }), jump + 1 < words.count else { continue }
                if table.chains[String(words[jump + 1])] == nil { throw missing("chain \(words[jump + 1])") }
            }
        }
        for rule in table.chains.values.flatMap(\.rules) {
            let words = rule.split(separator: " ")
            guard words.count >= 2, words[words.count - 2] == "jump" || words[words.count - 2] == "goto" else { continue }
            if table.chains[String(words[words.count - 1])] == nil { throw missing("chain \(words[words.count - 1])") }
        }
    }

    private static func exists(_ what: String) -> KernelError { KernelError(code: EEXIST, "nft: \(what) exists and is another one") }
    private static func missing(_ what: String) -> KernelError { KernelError(code: ENOENT, "nft: no such \(what)") }
}

/// Reads a script command by command.
private struct ScriptReader {
    enum Command {
        case flush
        case addTable(String)
        case deleteTable(String)
        case define(FirewallTable)
        case addElements(String, String, [String])
        case deleteElements(String, String, [String])
        case flushChain(String, String)
        case deleteChain(String, String)
        case deleteSet(String, String)
        case flushTable(String)
        case flushSet(String, String)
        case deleteObject(String, String)

        /// Nil: all of them.
        var table: String? {
            switch self {
            case .flush: nil
            case .define(let table): "\(table.family.rawValue) \(table.name)"
            case .addTable(let table), .deleteTable(let table), .flushTable(let table), .flushSet(let table, _),
                .deleteObject(let table, _),
                .addElements(let table, _, _), .deleteElements(let table, _, _), .flushChain(let table, _), .deleteChain(let table, _),
                .deleteSet(let table, _):
                table
            }
        }
    }

    private let lines: [Substring]
    private var next = 0

    init(_ script: String) {
        lines = script.split(separator: "\n").flatMap { Self.unfold($0) }
    }

    /// A table that is written on one line, as lines. A semicolon before a closing brace is nft's wish, and no more.
    private static func unfold(_ line: Substring) -> [Substring] {
        guard line.hasPrefix("table "), !line.hasSuffix("{") else { return [line] }
        var lines: [Substring] = []
        var rest = line
        while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
            let isOpening = rest[brace] == "{"
            let text = rest[...(isOpening ? brace : rest.index(before: brace))].drop { $0 == ";" || $0 == " " }
            if !text.isEmpty { lines.append(text) }
            if !isOpening { lines.append("}") }
            rest = rest[rest.index(after: brace)...]
        }
        return lines
    }

    mutating func command() throws(KernelError) -> Command? {
        guard let line = line() else { return nil }
        let words = line.split(separator: " ").map(String.init)
        switch (words.first, words.count) {
        case ("flush", 2) where words[1] == "ruleset": return .flush
        case ("add", 4) where words[1] == "table": return .addTable(words[2] + " " + words[3])
        case ("delete", 4) where words[1] == "table": return .deleteTable(words[2] + " " + words[3])
        case ("flush", 4) where words[1] == "table": return .flushTable(words[2] + " " + words[3])
        case ("flush", 5) where words[1] == "set" || words[1] == "map": return .flushSet(words[2] + " " + words[3], words[4])
        case ("delete", 5) where words[1] == "counter": return .deleteObject(words[2] + " " + words[3], words[4])
        case ("delete", 6) where words[1] == "ct" && words[2] == "helper": return .deleteObject(words[3] + " " + words[4], words[5])
        case ("table", 4) where words[3] == "{": return .define(try table(words[1], words[2]))
        case ("add", 5...) where words[1] == "counter" || words[1] == "set" || words[1] == "chain" || words[1] == "rule":
            return .define(try declaration(words))
        case ("add", 7...) where words[1] == "element" && words.last == "}":
            return .addElements(words[2] + " " + words[3], words[4], [words[6..<words.count - 1].joined(separator: " ")])
        case ("delete", 7...) where words[1] == "element" && words.last == "}":
            return .deleteElements(words[2] + " " + words[3], words[4], [words[6..<words.count - 1].joined(separator: " ")])
        case ("add", 6) where words[1] == "element": return .addElements(words[2] + " " + words[3], words[4], try elements())
        case ("delete", 6) where words[1] == "element": return .deleteElements(words[2] + " " + words[3], words[4], try elements())
        case ("flush", 5) where words[1] == "chain": return .flushChain(words[2] + " " + words[3], words[4])
        case ("delete", 5) where words[1] == "chain": return .deleteChain(words[2] + " " + words[3], words[4])
        case ("delete", 5) where words[1] == "set" || words[1] == "map": return .deleteSet(words[2] + " " + words[3], words[4])
        default: throw syntaxError(line)
        }
    }

    private mutating func line() -> String? {
        guard next < lines.count else { return nil }
        next += 1
        return lines[next - 1].drop { $0 == "\t" || $0 == " " }.description
    }

    private func syntaxError(_ line: String?) -> KernelError { KernelError(code: 0, "nft: syntax error: \(line ?? "end of script")") }

    private static func withoutSemicolon(_ line: String) -> String {
        line.hasSuffix(";") ? String(line.dropLast()) : line
    }

    /// The lines up to the closing brace, as elements.
    private mutating func elements() throws(KernelError) -> [String] {
        var text = ""
        while let line = line() {
            if line == "}" {
                return text.split(separator: ",").map { $0.split(separator: " ").joined(separator: " ") }.filter { !$0.isEmpty }
            }
            text += line
        }
        throw syntaxError(nil)
    }

    private mutating func table(_ family: String, _ name: String) throws(KernelError) -> FirewallTable {
        guard let family = FirewallTable.Family(rawValue: family) else { throw syntaxError(family) }
        var table = FirewallTable(family: family, name: name)
        while let line = line() {
            if line == "}" { return table }
            let words = line.split(separator: " ").map(String.init)
            if words.count == 4, words[0] == "ct", words[3] == "{" {
                table.objects[words[2]] = FirewallTable.Object(kind: "ct \(words[1])", lines: try objectLines())
                continue
            }
            guard words.count == 3, words[2] == "{" else { throw syntaxError(line) }
            if let form = FirewallTable.ElementSet.Form(rawValue: words[0]) {
                table.sets[words[1]] = try set(form)
            } else if words[0] == "chain" {
                table.chains[words[1]] = try chain()
            } else if words[0] == "counter" {
                table.objects[words[1]] = FirewallTable.Object(kind: "counter", lines: try objectLines())
            } else {
                throw syntaxError(line)
            }
        }
        throw syntaxError(nil)
    }

    /// What one line adds to a table: `add set FAMILY TABLE NAME { type …; flags …; }`.
    private func declaration(_ words: [String]) throws(KernelError) -> FirewallTable {
        guard let family = FirewallTable.Family(rawValue: words[2]) else { throw syntaxError(words[2]) }
        var table = FirewallTable(family: family, name: words[3])
        let name = words[4]
        let text = words.dropFirst(5).filter { $0 != "{" && $0 != "}" }.joined(separator: " ")
        let clauses = text.split(separator: ";").map { $0.drop { $0 == " " }.description }
        switch words[1] {
        case "counter": table.objects[name] = FirewallTable.Object(kind: "counter", lines: [])
        case "rule": table.chains[name] = FirewallTable.Chain(rules: [words.dropFirst(5).joined(separator: " ")])
        case "chain": table.chains[name] = FirewallTable.Chain(hook: text.isEmpty ? nil : text, rules: [])
        default:
            let flags = clauses.first { $0.hasPrefix("flags ") }?.dropFirst(6).split(separator: ",").map {
                $0.split(separator: " ").joined()
            }
            table.sets[name] = FirewallTable.ElementSet(type: clauses.first ?? "", flags: flags ?? [])
        }
        return table
    }

    private mutating func objectLines() throws(KernelError) -> [String] {
        var lines: [String] = []
        while let line = line() {
            if line == "}" { return lines }
            lines.append(Self.withoutSemicolon(line))
        }
        throw syntaxError(nil)
    }

    private mutating func set(_ form: FirewallTable.ElementSet.Form) throws(KernelError) -> FirewallTable.ElementSet {
        var set = FirewallTable.ElementSet(form: form, type: "")
        while let line = line() {
            if line == "}" { return set }
            if line == "elements = {" {
                set.elements = Set(try elements())
            } else if line.hasPrefix("flags ") {
                set.flags = line.dropFirst(6).split(separator: ",").map { $0.split(separator: " ").joined() }
            } else if line.hasPrefix("type ") || line.hasPrefix("typeof ") {
                set.type = Self.withoutSemicolon(line)
            } else {
                throw syntaxError(line)
            }
        }
        throw syntaxError(nil)
    }

    private mutating func chain() throws(KernelError) -> FirewallTable.Chain {
        var chain = FirewallTable.Chain(rules: [])
        while let line = line() {
            if line == "}" { return chain }
            if line.hasPrefix("type "), line.contains(" hook ") { chain.hook = line } else { chain.rules.append(line) }
        }
        throw syntaxError(nil)
    }
}
