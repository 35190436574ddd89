using Sway.IO;
using Sway.Unit.Support;

namespace Sway.Unit.IO;

/// <summary>Folders that appear whole or not at all, whoever else replaces them meanwhile.</summary>
public sealed class AtomicDirectoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Destination => _folder.File("out");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Many_replace_at_once_and_every_one_succeeds(bool inSteps)
    {
        const int Writers = 6, Rounds = 60;
        Task[] writers = [.. Enumerable.Range(0, Writers).Select(writer => Task.Factory.StartNew(
            () =>
            {
                for (int round = 0; round < Rounds; round++)
                {
                    Write($"{writer}-{round}", replace: true, inSteps);
                }
            },
            TestContext.Current.CancellationToken,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        await Task.WhenAll(writers);
        Content().ShouldEndWith($"-{Rounds - 1}");
        Directory.GetFileSystemEntries(_folder.Path).ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_many_that_replace_nothing_one_succeeds(bool inSteps)
    {
        string[] names = [.. Enumerable.Range(0, 8).Select(i => $"{i}")];
        string?[] placed = await Task.WhenAll(names.Select(name => Task.Run(() =>
        {
            try
            {
                Write(name, replace: false, inSteps);
                return name;
            }
            catch (OutputException e) when (e.Kind == OutputErrorKind.Exists)
            {
                return null;
            }
        })));
        placed.Where(name => name is not null).ShouldHaveSingleItem().ShouldBe(Content());
        Directory.GetFileSystemEntries(_folder.Path).ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_file_in_the_place_is_never_replaced(bool inSteps)
    {
        File.WriteAllText(Destination, "mine");
        Should.Throw<OutputException>(() => Write("a", replace: true, inSteps)).Kind.ShouldBe(OutputErrorKind.Exists);
        File.ReadAllText(Destination).ShouldBe("mine");
        Directory.GetFileSystemEntries(_folder.Path).ShouldHaveSingleItem();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_empty_folder_in_the_place_is_not_replaced_unasked(bool inSteps)
    {
        Directory.CreateDirectory(Destination);
        Should.Throw<OutputException>(() => Write("a", replace: false, inSteps)).Kind.ShouldBe(OutputErrorKind.Exists);
        Directory.GetFileSystemEntries(Destination).ShouldBeEmpty();
        Write("a", replace: true, inSteps);
        Content().ShouldBe("a");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_link_is_replaced_and_what_it_names_stays(bool inSteps)
    {
        string elsewhere = _folder.File("elsewhere");
        Directory.CreateDirectory(elsewhere);
        File.WriteAllText(Path.Combine(elsewhere, "name"), "theirs");
        Directory.CreateSymbolicLink(Destination, elsewhere);
        Write("a", replace: true, inSteps);
        Content().ShouldBe("a");
        new DirectoryInfo(Destination).LinkTarget.ShouldBeNull();
        File.ReadAllText(Path.Combine(elsewhere, "name")).ShouldBe("theirs");
        Directory.GetFileSystemEntries(_folder.Path).Length.ShouldBe(2);
    }

    private void Write(string name, bool replace, bool inSteps)
    {
        using AtomicDirectory output = AtomicDirectory.Create(Destination, inSteps);
        File.WriteAllText(Path.Combine(output.TemporaryPath, "name"), name);
        output.Commit(replace, TestContext.Current.CancellationToken);
    }

    private string Content() => File.ReadAllText(Path.Combine(Destination, "name"));
}
