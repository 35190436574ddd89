BeforeAll {
    . (Join-Path $PSScriptRoot common.ps1)
    $base = Join-Path $Samples base
}

Describe 'ConvertTo-Token' {
    It 'gives the ids of AutoTokenizer, with the start token' {
        (ConvertTo-Token "KING RICHARD III:`nNow" -Model $base).Id | Should -Be 1022, 530, 798, 793, 40, 275, 804
        (ConvertTo-Token "KING RICHARD III:`nNow" -Model $base -NoSpecial).Id | Should -Be 530, 798, 793, 40, 275, 804
    }

    It 'says where each token lies, in bytes' {
        $tokens = ConvertTo-Token "d$([char] 0xE9)j$([char] 0xE0)" -Model $base
        $tokens[0].IsInserted | Should -BeTrue
        ($tokens | Where-Object { -not $_.IsInserted })[0].Start | Should -Be 0
        $tokens[-1].End | Should -Be 6
        $tokens.Index | Should -Be @(0..($tokens.Count - 1))
    }

    It 'takes texts from the pipeline, each by itself' {
        $tokens = 'And', 'God' | ConvertTo-Token -Model $base
        @($tokens | Where-Object IsInserted).Count | Should -Be 2
        ([pscustomobject]@{ Text = 'And' } | ConvertTo-Token -Model $base).Id | Should -Be (ConvertTo-Token 'And' -Model $base).Id
    }

    It 'gives nothing for an empty text but what the tokenizer adds' {
        (ConvertTo-Token '' -Model $base).Id | Should -Be 1022
        ConvertTo-Token '' -Model $base -NoSpecial | Should -BeNullOrEmpty
    }

    It 'takes a model by any path of PowerShell' {
        $folder = New-Item -ItemType Directory (Join-Path $TestDrive 'm [1]')
        Copy-Item (Join-Path $base tokenizer.json) $folder.FullName
        Push-Location -LiteralPath $folder.FullName
        try {
            (ConvertTo-Token 'And' -Model .).Id | Should -Be 1022, 314
            (ConvertTo-Token 'And' -BaseModel ./tokenizer.json).Id | Should -Be 1022, 314
        }
        finally {
            Pop-Location
        }
    }

    It 'refuses a model without a tokenizer' {
        { ConvertTo-Token 'And' -Model $TestDrive } | Should -Throw -ErrorId 'TokenizationFailed,*'
        { ConvertTo-Token 'And' -Model env:PATH } | Should -Throw -ErrorId 'PathNotFileSystem,*'
        Set-Content (Join-Path $TestDrive tokenizer.json) '{"model": {'
        { ConvertTo-Token 'And' -Model $TestDrive } | Should -Throw -ErrorId 'TokenizationFailed,*' -ExpectedMessage '*cannot be read*'
    }

    It 'takes the tokenizer of an open session' {
        $session = New-SwaySession $base -Name tokens
        try {
            $ids = ('And God' | ConvertTo-Token -Session tokens).Id
            $ids | Should -Be (ConvertTo-Token 'And God' -Model $base).Id
            $ids | ConvertFrom-Token -Session $session -SkipSpecial | Should -BeExactly 'And God'
        }
        finally {
            $session | Remove-SwaySession
        }
        { ConvertTo-Token 'And' -Session $session } | Should -Throw -ErrorId 'SessionClosed,*'
        { ConvertTo-Token 'And' -Session none } | Should -Throw -ExpectedMessage '*no session*'
    }

    It 'stops with Select-Object -First' {
        ConvertTo-Token ('And God said ' * 1000) -Model $base | Select-Object -First 1 | Should -HaveCount 1
    }

    It 'shows a table' {
        ConvertTo-Token 'And' -Model $base | Out-String -Width 120 | Should -Match '1 +314 +And +0 +3 +False'
    }
}

Describe 'ConvertFrom-Token' {
    It 'gives back what was tokenized' {
        foreach ($text in "KING RICHARD III:`nNow", "d$([char] 0xE9)j$([char] 0xE0) vu", ' two  spaces ', "$([char]::ConvertFromUtf32(0x1F600))") {
            ConvertTo-Token $text -Model $base | ConvertFrom-Token -Model $base -SkipSpecial | Should -BeExactly $text
            ConvertFrom-Token (ConvertTo-Token $text -Model $base -NoSpecial).Id -Model $base | Should -BeExactly $text
        }
    }

    It 'writes special tokens unless they are skipped' {
        1022, 314 | ConvertFrom-Token -Model $base | Should -BeExactly '<|begin_of_text|>And'
        1022, 314 | ConvertFrom-Token -Model $base -SkipSpecial | Should -BeExactly 'And'
    }

    It 'gives an empty text for no tokens' {
        ConvertFrom-Token @() -Model $base | Should -BeExactly ''
    }

    It 'warns of ids that the vocabulary does not have' {
        $text = ConvertFrom-Token 314, 99999, 565 -Model $base -WarningVariable warned -WarningAction SilentlyContinue
        $text | Should -BeExactly 'And God'
        "$warned" | Should -BeLike '*99999*'
    }

    It 'refuses what is not a number' {
        { ConvertFrom-Token 'one' -Model $base } | Should -Throw -ErrorId 'CannotConvertArgumentNoMessage,*'
    }
}
