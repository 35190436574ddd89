BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $adapters = Join-Path $Samples adapters
    $base = Join-Path $Samples base
}

Describe 'Compare-LoraAdapter' {
    It 'finds nothing between an adapter and its conversion' {
        $mlx = ConvertTo-MlxAdapter (Join-Path $adapters bible) (Join-Path $TestDrive mlx) -BaseModel $base
        $rows = Compare-LoraAdapter (Join-Path $adapters bible) $mlx.FullName -BaseModel $base
        $rows | Should -HaveCount 28
        $rows.RelativeDifference | Select-Object -Unique | Should -Be 0
        $rows.In | Select-Object -Unique | Should -BeExactly Both
    }

    It 'compares DoRA by what it changes in the base' {
        $mlx = ConvertTo-MlxAdapter (Join-Path $adapters law) (Join-Path $TestDrive law) -BaseModel $base
        $rows = Compare-LoraAdapter (Join-Path $adapters law) $mlx.FullName -BaseModel $base
        $rows | Should -HaveCount 28
        $rows.RelativeDifference | Measure-Object -Maximum | ForEach-Object Maximum | Should -BeLessThan 1e-12
        $rows.FirstNorm | Measure-Object -Minimum | ForEach-Object Minimum | Should -BeGreaterThan 0
        Compare-LoraAdapter (Join-Path $adapters law) $mlx.FullName -NoBaseLookup -ErrorVariable problem -ErrorAction SilentlyContinue | Should -BeNullOrEmpty
        $problem[0].Exception.Refusals[0].Category | Should -Be NeedsBase
    }

    It 'lists modules that only one adapter has' {
        $rows = Compare-LoraAdapter (Join-Path $adapters untrained) (Join-Path $adapters bible)
        $rows | Should -HaveCount 28
        ($rows | Where-Object In -EQ Second).RelativeDifference | Select-Object -Unique | Should -Be 1
        ($rows | Where-Object In -EQ Both) | Should -HaveCount 8
    }

    It 'compares each of several adapters with the reference' {
        $rows = Get-Item (Join-Path $adapters bible), (Join-Path $adapters memorized) | Compare-LoraAdapter -ReferencePath (Join-Path $adapters bible)
        $groups = $rows | Group-Object First
        $groups | ForEach-Object Count | Should -Be 28, 28
        $groups[0].Group.Cosine | Measure-Object -Minimum | ForEach-Object Minimum | Should -BeGreaterThan 0.999999
        $groups[1].Group.Cosine | Measure-Object -Maximum | ForEach-Object Maximum | Should -BeLessThan 0.9
    }

    It 'gives effective ranks between 1 and the rank' {
        $rows = Compare-LoraAdapter (Join-Path $adapters bible) (Join-Path $adapters memorized)
        foreach ($row in $rows) {
            $row.FirstEffectiveRank | Should -BeGreaterThan 1
            $row.FirstEffectiveRank | Should -BeLessOrEqual 8.000001
            $row.SecondEffectiveRank | Should -BeLessOrEqual 4.000001
        }
    }

    It 'fits a console of 80 columns' {
        $text = Compare-LoraAdapter (Join-Path $adapters bible) (Join-Path $adapters memorized) | Out-String -Width 80
        $text | Should -Match 'Differ +Rank1 Rank2'
        $text | Should -Match 'self_attn\.q_proj'
        $text | Should -Match 'bible against memorized'
    }

    It 'ends where the reference is not there' {
        { Compare-LoraAdapter (Join-Path $adapters bible) (Join-Path $TestDrive nowhere) } | Should -Throw -ErrorId 'FolderNotFound,*'
    }
}
