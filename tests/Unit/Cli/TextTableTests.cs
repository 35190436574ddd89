using Shouldly;
using Sway.Cli.Output;
using Xunit;

namespace Sway.Unit.Cli;

public sealed class TextTableTests
{
    [Fact]
    public void A_table_is_as_wide_as_its_texts()
    {
        string[] lines = Lines(new TextTable().Column("Name").Column("Count", right: true).Row("a", "1,234,567").Row("longer", ""));

        lines.ShouldBe([" Name        Count", "───────────────────", " a       1,234,567", " longer", ""]);
    }

    [Fact]
    public void Only_columns_that_may_wrap_give_way()
    {
        string name = new('n', 90);
        string[] lines = Lines(new TextTable().Column("Name").Column("What", wrap: true).Row(name, "one two three"));

        lines[2].ShouldBe($" {name}  one");
        lines[3].Trim().ShouldBe("two");
        lines[4].Trim().ShouldBe("three");
    }

    [Fact]
    public void What_cannot_give_way_is_never_cut()
    {
        string name = new('n', 120);
        Lines(new TextTable().Column("Name").Column("N", right: true).Row(name, "12345678"))[2].ShouldBe($" {name}  12345678");
    }

    [Theory]
    [InlineData("plain", 5)]
    [InlineData("e\u0301", 1)]
    [InlineData("日本", 4)]
    [InlineData("\U0001F600", 2)]
    public void Columns_are_those_of_a_terminal(string text, int columns) => TextColumns.Of(text).ShouldBe(columns);

    [Theory]
    [InlineData("one two three", 8, "one two|three")]
    [InlineData("one two three", 7, "one two|three")]
    [InlineData("abcdefghij", 4, "abcd|efgh|ij")]
    [InlineData("ab abcdefghij", 4, "ab|abcd|efgh|ij")]
    [InlineData("日本語", 4, "日本|語")]
    [InlineData("a\u001b[2Jb\nc", 20, "a [2Jb c")]
    [InlineData("", 4, "")]
    public void Texts_break_between_words_and_carry_no_control_characters(string text, int width, string lines) =>
        TextColumns.Wrap(text, width).ShouldBe(lines.Split('|'));

    private static string[] Lines(TextTable table)
    {
        using var text = new StringWriter { NewLine = "\n" };
        table.WriteTo(new CommandOutput(text, TextWriter.Null, json: false));
        return text.ToString().Split('\n')[..^1];
    }
}
