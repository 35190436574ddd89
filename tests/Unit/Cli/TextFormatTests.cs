using Sway.Adapters;
using Sway.Cli;
using Sway.Cli.Output;

namespace Sway.Unit.Cli;

public sealed class TextFormatTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.00 kB")]
    [InlineData(155056, "155 kB")]
    [InlineData(999_600, "1.00 MB")]
    [InlineData(12_340_000_000, "12.3 GB")]
    public void Bytes_have_three_digits(long bytes, string expected) => Format.Bytes(bytes).ShouldBe(expected);

    [Fact]
    public void Long_lists_keep_their_ends() => Format.List([1, 2, 3, 4, 5, 6]).ShouldBe("1, 2, 3 ... 6 (6)");

    [Theory]
    [InlineData(nameof(RefusalCategory.ModulesToSave), "modules-to-save")]
    [InlineData(nameof(RefusalCategory.NonFinite), "non-finite")]
    public void Enum_values_are_written_with_hyphens(string name, string expected) => CommonOptions.Kebab(name).ShouldBe(expected);

    [Fact]
    public void Errors_of_the_system_have_stable_categories()
    {
        ErrorLine.Of(new FileNotFoundException("gone"), "x").Error.Category.ShouldBe("PathNotFound");
        ErrorLine.Of(new UnauthorizedAccessException("no"), "x").Error.Category.ShouldBe("AccessDenied");
        ErrorLine.Of(new IOException("disk"), "x").Error.Category.ShouldBe("InputOutput");
        ErrorLine.Of(new InvalidOperationException("bug"), "x").Error.Message.ShouldContain(nameof(InvalidOperationException));
    }

    [Fact]
    public void A_remedy_is_said_once()
    {
        var refusal = new Refusal(RefusalCategory.NeedsBase, "The base is unknown.") { Remedy = "Name it with --base." };

        string text = ErrorLine.Of(new ConversionRefusedException("x", [refusal]), "x").Describe();

        text.Split("Name it with --base.").Length.ShouldBe(2);
    }
}
